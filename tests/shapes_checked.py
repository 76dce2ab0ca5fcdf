"""Enforce the shapes in annotations of numerical functions, in all tests.

This is imported before the package; other annotations are left to the type checker.  Arguments
and results of a call are checked unless the same shapes and types have passed before, because
tests call small functions on small arrays very often.
"""

import functools
import inspect
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import jaxtyping
from beartype.door import is_bearable

CHECKED = [
    "linear_grokking.data",
    "linear_grokking.models.contract",
    "linear_grokking.models.expectations",
    "linear_grokking.models.linear",
    "linear_grokking.models.logistic",
    "linear_grokking.models.losses",
    "linear_grokking.models.passes.array_pass",
    "linear_grokking.models.passes.row_pass",
    "linear_grokking.models.passes.stretches",
    "linear_grokking.models.passes.weighing",
    "linear_grokking.models.softplus",
    "linear_grokking.models.teacher_student",
    "linear_grokking.models.two_layer",
    "linear_grokking.models.two_point",
    "linear_grokking.results.crossings",
    "linear_grokking.solvers",
    "linear_grokking.theory",
]
"""Modules that are checked: all but those that Numba compiles."""


def shape_of_all(value: Any) -> Hashable:
    """Return the types in a value, and the shapes of its arrays."""
    if isinstance(shape := getattr(value, "shape", None), tuple):
        return type(value), getattr(value, "dtype", None), tuple(shape)
    if isinstance(value, Mapping):
        return type(value), tuple(value), tuple(map(shape_of_all, value.values()))
    if isinstance(value, tuple | list):
        return type(value), tuple(map(shape_of_all, value))
    return type(value)


def checked(function: Any) -> Any:
    """Return a function that checks the shapes among its annotations."""
    hints = {k: v for k, v in function.__annotations__.items() if "jaxtyping" in repr(v)}
    if not hints:
        return function
    signature = inspect.signature(function)
    passed: set[Hashable] = set()

    def check(given: tuple[Any, ...], named: dict[str, Any], **returned: Any) -> None:
        values = signature.bind(*given, **named).arguments | returned
        with _context("context"):
            # In the order of the signature: an axis may be given in terms of an earlier one.
            for name in filter(hints.__contains__, values):
                several = signature.parameters.get(name)
                of_many = several is not None and several.kind is several.VAR_POSITIONAL
                for value in values[name] if of_many else (values[name],):
                    if not is_bearable(value, hints[name]):
                        raise jaxtyping.TypeCheckError(
                            f"{function.__module__}.{function.__qualname__}: {name}, of "
                            f"{shape_of_all(value)}, is not {hints[name]}, beside "
                            f"{shape_of_all(values)}"
                        )

    @functools.wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        of_these = shape_of_all(given), shape_of_all(named)
        if of_these not in passed:
            check(given, named)
            passed.add(of_these)
        found = function(*given, **named)
        if "return" in hints:
            of_all = of_these, shape_of_all(found)
            if of_all not in passed:
                check(given, named, **{"return": found})
                passed.add(of_all)
        return found

    return call


def jaxtyped(*, typechecker: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the decorator that jaxtyping's import hook puts before definitions."""

    def decorated(definition: Any) -> Any:
        if not isinstance(definition, type):
            return typechecker(definition)
        if "__init__" in vars(definition) and hasattr(definition, "__dataclass_fields__"):
            definition.__init__ = typechecker(definition.__init__)
        return definition

    return decorated


_context, jaxtyping.jaxtyped = jaxtyping.jaxtyped, jaxtyped
jaxtyping.install_import_hook(CHECKED, "shapes_checked.checked")
