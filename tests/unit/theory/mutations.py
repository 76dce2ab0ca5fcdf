"""The theory with one of its formulas off by a factor, and the tests that notice.

A mutant is ``module.name`` or ``module.name.part``: one public function or constant of
`linear_grokking.theory`, and which part of the result where a function returns several
(a field of a named tuple or dataclass, or a position in a tuple).  What a mutant returns is
the original's result with that part, a number or an array of numbers, times the factor.

As a program this is a server.  It imports the theory and what its tests import, once; for
each line of standard input, ``{"mutants": […], "factor": …, "tests": […]}``, it forks a
process that puts the mutants in the originals' place, wherever these are known under a
name, before any test is imported, and runs the tests.  It answers with one line,
``{"caught": …, "passed": …, "errors": […]}``: the first test to fail by an assertion, with
which the run ends, the number of tests that passed, and what else went wrong.
"""

import dataclasses
import functools
import gc
import importlib
import inspect
import json
import os
import pkgutil
import re
import signal
import sys
import typing
from pathlib import Path

import numpy as np
import pytest
from _pytest.config import default_plugins

from linear_grokking import theory

FOLDER = Path(__file__).parent
SECONDS = 100
"""Time after which the tests under one mutant are given up."""


def originals() -> dict[str, object]:
    """Return the public functions and numerical constants of the theory by name."""
    found = {}
    for entry in pkgutil.iter_modules(theory.__path__):
        if entry.name.startswith("_"):
            continue
        module = importlib.import_module(f"{theory.__name__}.{entry.name}")
        for name, value in vars(module).items():
            made_here = getattr(value, "__module__", None) == module.__name__
            function = callable(value) and not inspect.isclass(value) and made_here
            constant = name.isupper() and isinstance(value, float)
            if not name.startswith("_") and (function or constant):
                found[f"{entry.name}.{name}"] = value
    return found


def parts(original: object) -> list[str]:
    """Return the names of the parts of a function's result; none where it is one."""
    if not callable(original):
        return []
    result = typing.get_type_hints(inspect.unwrap(original))["return"]
    if dataclasses.is_dataclass(result) or hasattr(result, "_fields"):
        members = typing.get_type_hints(result)
    elif typing.get_origin(result) is tuple:
        members = {str(k): kind for k, kind in enumerate(typing.get_args(result))}
    else:
        return []
    return [name for name, kind in members.items() if kind is not str]


def mutants() -> list[str]:
    """Return all mutants."""
    return [
        ".".join([name, *part])
        for name, original in originals().items()
        for part in ([[each] for each in parts(original)] or [[]])
    ]


def scaled(value: typing.Any, factor: float) -> typing.Any:
    """Return a result times the factor: each of its numbers, but not a shape's integers."""
    if dataclasses.is_dataclass(value):
        fields = vars(value).items()
        return dataclasses.replace(value, **{name: scaled(each, factor) for name, each in fields})
    if isinstance(value, tuple):
        members = [each if isinstance(each, int) else scaled(each, factor) for each in value]
        return type(value)(*members) if hasattr(value, "_fields") else tuple(members)
    return value * factor


def with_part_scaled(result: typing.Any, part: str, factor: float) -> typing.Any:
    if dataclasses.is_dataclass(result):
        return dataclasses.replace(result, **{part: scaled(getattr(result, part), factor)})
    if hasattr(result, "_fields"):
        return result._replace(**{part: scaled(getattr(result, part), factor)})
    k = int(part)
    return (*result[:k], scaled(result[k], factor), *result[k + 1 :])


def install(mutant: str, factor: float) -> None:
    """Put a mutant in its original's place in every module that knows it."""
    module, name, *part = mutant.split(".")
    original = getattr(importlib.import_module(f"{theory.__name__}.{module}"), name)
    if not callable(original):
        replacement = original * factor
    else:

        @functools.wraps(original)
        def replacement(*arguments: typing.Any, **options: typing.Any) -> typing.Any:
            result = original(*arguments, **options)
            return with_part_scaled(result, *part, factor) if part else scaled(result, factor)

    for known in [each for key, each in sys.modules.items() if key.startswith("linear_grokking")]:
        for key, value in list(vars(known).items()):
            if value is original:
                setattr(known, key, replacement)


def test_files(mutant: str) -> list[str]:
    """Return the theory's test files: the module's, then others that name the function."""
    module, name, *_ = mutant.split(".")
    word = re.compile(rf"\b{name}\b")

    def promise(path: Path) -> tuple[bool, int]:
        text = path.read_text(encoding="utf-8")
        return path.stem == f"test_{module}", len(word.findall(text))

    files = sorted(path for path in FOLDER.glob("test_*.py") if path.stem != "test_mutations")
    return [str(path) for path in sorted(files, key=promise, reverse=True) if any(promise(path))]


class Watch:
    """A pytest plugin that keeps what fails and stops at the first assertion."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.caught: str | None = None
        self.passed = 0
        self.errors: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Begin, in each file, with the tests that name what has changed."""

        @functools.cache  # a parametrized function is that of many tests
        def silence(function: typing.Callable[..., object]) -> int:
            source = inspect.getsource(function)
            return sum(word not in source for word in self.words)

        order = list(dict.fromkeys(item.path for item in items))
        items.sort(key=lambda item: (order.index(item.path), silence(item.function)))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.errors.append(f"{report.nodeid}: cannot be collected")

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo) -> None:
        if call.excinfo is None:
            self.passed += call.when == "call"
        elif call.when == "call" and call.excinfo.errisinstance(
            (AssertionError, pytest.fail.Exception)
        ):
            self.caught = self.caught or item.nodeid
            item.session.shouldfail = "caught"  # stopping would be reported at length
        elif not call.excinfo.errisinstance(pytest.skip.Exception):
            self.errors.append(f"{item.nodeid}: {call.excinfo.exconly()}"[:300])


def run(mutants: list[str], factor: float, tests: list[str]) -> dict[str, typing.Any]:
    for mutant in mutants:
        install(mutant, factor)
    watch = Watch([word for mutant in mutants for word in mutant.split(".")[1:]])
    options = ["-p", "no:cacheprovider", "--disable-plugin-autoload", "-m", "not long"]
    pytest.main([*options, "--tb=line", *tests], plugins=[watch])
    return {"caught": watch.caught, "passed": watch.passed, "errors": watch.errors}


def answer(request: dict[str, typing.Any]) -> str:
    """Return a process's findings as JSON; it has its own modules, and leaves none here."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        signal.alarm(SECONDS)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        try:
            os.write(writer, json.dumps(run(**request)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        found = pipe.read()
    _, status = os.waitpid(child, 0)
    nothing = {"caught": None, "passed": 0, "errors": [f"ended with status {status}"]}
    return found or json.dumps(nothing)


IMPORTED = (
    *("beartype.door", "hypothesis", "jaxtyping", "mpmath", "pdb"),
    *(f"_pytest.{name}" for name in default_plugins),
    *("scipy.integrate", "scipy.optimize", "scipy.stats"),
    *("linear_grokking.config", "linear_grokking.data.draws"),
    *("linear_grokking.workflow.plan", "linear_grokking.workflow.plan.targets"),
    *(
        f"linear_grokking.workflow.steps.{name}"
        for name in ("block", "figures", "manifest", "summarize")
    ),
)
"""What tests of the theory and the common `conftest` import, and no mutant changes."""


def serve() -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    originals()
    np.linalg.eigvalsh(np.eye(2))
    gc.freeze()  # pytest collects garbage when it ends, which is in each child
    for line in sys.stdin:
        print(answer(json.loads(line)), flush=True)


if __name__ == "__main__":
    serve()
