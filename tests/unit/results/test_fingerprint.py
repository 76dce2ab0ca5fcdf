"""Fingerprints change with the code that a result depends on, and with nothing else."""

import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from linear_grokking import report
from linear_grokking.figures import registry
from linear_grokking.jobs import kinds
from linear_grokking.jobs.kinds import KINDS
from linear_grokking.results.fingerprint import Kept, Package, fingerprint, with_files
from linear_grokking.workflow.made_of import _REACHED

SOURCES = Path(__file__).parents[3] / "src" / "linear_grokking"

FILES = {
    "__init__.py": '"""A package."""\n__version__ = "1"\n',
    "formulas.py": '''
"""Formulas."""

import numpy as np
from pkg.constants import RATE

TABLE = {"a": 1}
TABLE["b"] = 2
TABLE.update(c=3)

if RATE > 1:
    LIMIT = 5
else:
    LIMIT = 6


def used(x):
    """Return what is used."""
    # a comment
    return RATE * np.exp(x)


def unused(x):
    return x + 1


def looks_up(key):
    return TABLE[key] + LIMIT


class Base:
    factor = 2

    def value(self):
        return self.factor


class Derived(Base):
    @property
    def twice(self):
        """Return twice the value."""
        return 2 * self.value()
''',
    "constants.py": "RATE = 0.5\nOTHER = 1.0\n",
    "fronts/__init__.py": "from pkg.formulas import used as renamed\nfrom pkg.fronts import inner",
    "fronts/inner.py": "from pkg.formulas import Derived\n\n\ndef deep(x):\n    return Derived()\n",
    "entries.py": """
import importlib

import pkg.formulas
import pkg.formulas as f
from pkg import formulas, fronts
from pkg.formulas import used
from pkg.fronts import renamed
from pkg.runtime.checkpoints import checkpoint


def direct(x):
    return used(x)


def through_front(x):
    return renamed(x)


def through_module(x):
    return formulas.used(x)


def through_alias(x):
    return f.used(x)


def through_dots(x):
    return pkg.formulas.used(x)


def inside(x):
    from pkg.formulas import used as here

    return here(x)


def through_class():
    return fronts.inner.deep(1).twice


def with_table(key):
    return formulas.looks_up(key)


def whole(x):
    return apply(formulas, x)


def apply(module, x):
    return module


def carried(x):
    return checkpoint(x)


def alone(x):
    return x


def default(x, rate=pkg.formulas.TABLE):
    return x


@used
def decorated(x):
    return x
""",
    "runtime/checkpoints.py": "def checkpoint(x):\n    return x\n",
}

REACH_USED = (
    "direct",
    "through_front",
    "through_module",
    "through_alias",
    "through_dots",
    "inside",
    "decorated",
    "whole",
)
ALL = (*REACH_USED, "through_class", "with_table", "default", "carried", "alone", "apply")


@pytest.fixture
def package(tmp_path):
    root = tmp_path / "pkg"
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def fingerprints(root):
    sources = Package(root)
    return {name: sources.fingerprint([f"entries:{name}"]) for name in ALL}


def edit(root, name, old, new):
    path = root / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def changed(root, name, old, new):
    before = fingerprints(root)
    edit(root, name, old, new)
    after = fingerprints(root)
    return {key for key in ALL if before[key] != after[key]}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# a comment", "# another comment\n    # and one more"),
        ('"""Return what is used."""', '"""Say something else.\n\n    At length.\n    """'),
        ('    """Return what is used."""\n', ""),
        ('"""Formulas."""', '"""All formulas, and a long text on them."""'),
        ("return RATE * np.exp(x)", "return (RATE\n            *  np.exp( x ))"),
        ("def unused(x):\n    return x + 1\n\n\n", ""),
        ("import numpy as np\n", "import sys\n\nimport numpy as np\n"),
    ],
)
def test_what_carries_no_behaviour_changes_nothing(package, old, new):
    # `whole` takes the module as a value, so that removing any function of it counts.
    assert changed(package, "formulas.py", old, new) <= {"whole"}
    if "def unused" not in old:
        assert fingerprints(package)["whole"]


def with_crlf(path):
    """Write a text file as a clone with core.autocrlf has it."""
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def test_how_lines_end_carries_no_behaviour(package):
    edit(package, "entries.py", "def alone(x):\n    return x", 'def alone(x): return """a\nb"""')
    before = fingerprints(package)
    for path in package.rglob("*.py"):
        with_crlf(path)
    assert b"a\r\nb" in (package / "entries.py").read_bytes()
    assert fingerprints(package) == before


def test_a_text_file_counts_by_its_lines(tmp_path):
    entries, path = ["solvers.spectral:spectral"], tmp_path / "style.css"
    path.write_text("one\ntwo\n")
    before = with_files(entries, [path])
    assert before.startswith(fingerprint(entries))
    with_crlf(path)
    assert with_files(entries, [path]) == before
    path.write_text("one\nthree\n")
    assert with_files(entries, [path]) != before


def resources(code):
    """Return the files that a step reads beside its code."""
    if code is registry.draw_code:
        return ["linear_grokking.mplstyle"]
    here = SOURCES / "report"
    files = (each for each in here.rglob("*") if each.is_file())
    # What an archive says of itself is no part of the page.
    return [each.relative_to(here) for each in files if each.suffix not in (".py", ".pyc", ".md")]


@pytest.mark.parametrize(
    ("module", "code", "arguments"),
    [(registry, registry.draw_code, ["A1"]), (report, report.report_code, [])],
    ids=["drawing", "report"],
)
def test_every_resource_counts_by_its_lines(tmp_path, monkeypatch, module, code, arguments):
    folder = tmp_path / "room"
    shutil.copytree(Path(module.__file__).parent, folder)
    monkeypatch.setattr(module, "__file__", str(folder / "module.py"))
    before, files = code(*arguments), resources(code)
    assert files
    for name in files:
        with_crlf(folder / name)
    assert code(*arguments) == before
    for name in files:
        with open(folder / name, "a", encoding="utf-8") as file:
            file.write("\n")
        after = code(*arguments)
        assert after != before, name
        before = after


def test_every_file_that_an_archive_takes_from_the_repository_counts(tmp_path, monkeypatch):
    found = report.repository_files()
    assert {"Snakefile", "workflow/rules/archive.smk", "requirements.txt", "LICENSE"} <= set(found)
    for name, path in {**found, "said.md": report.ARCHIVE_TEXT}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / name)
    monkeypatch.setattr(report, "REPOSITORY", tmp_path)
    monkeypatch.setattr(report, "ARCHIVE_TEXT", tmp_path / "said.md")
    before = report.archive_code()
    for name in ("said.md", "Snakefile", "workflow/scripts/archive.py", "CITATION.cff"):
        with open(tmp_path / name, "a", encoding="utf-8") as file:
            file.write("\n")
        after = report.archive_code()
        assert after != before, name
        before = after


def test_a_formula_counts_for_what_reaches_it_and_for_nothing_else(package):
    found = changed(package, "formulas.py", "RATE * np.exp(x)", "1.01 * RATE * np.exp(x)")
    assert found == set(REACH_USED)


def test_a_constant_counts_through_the_formula_that_uses_it(package):
    found = changed(package, "constants.py", "RATE = 0.5", "RATE = 0.25")
    # The value of LIMIT depends on it as well.
    assert found == {*REACH_USED, "with_table"}
    assert changed(package, "constants.py", "OTHER = 1.0", "OTHER = 2.0") == set()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('TABLE = {"a": 1}', 'TABLE = {"a": 9}'),
        ('TABLE["b"] = 2', 'TABLE["b"] = 9'),
        ("TABLE.update(c=3)", "TABLE.update(c=9)"),
    ],
)
def test_a_table_counts_with_all_that_fills_it(package, old, new):
    assert changed(package, "formulas.py", old, new) == {"with_table", "default", "whole"}


def test_a_conditional_definition_counts(package):
    assert changed(package, "formulas.py", "LIMIT = 6", "LIMIT = 7") == {"with_table", "whole"}


def test_a_class_counts_with_its_bases_and_through_fronts(package):
    assert changed(package, "formulas.py", "factor = 2", "factor = 3") == {"through_class", "whole"}
    found = changed(package, "formulas.py", "2 * self.value()", "3 * self.value()")
    assert found == {"through_class", "whole"}
    assert changed(package, "fronts/inner.py", "Derived()", "Derived") == {"through_class"}


def test_what_only_carries_a_computation_is_apart(package):
    assert (
        changed(package, "runtime/checkpoints.py", "return x", "return x  # or not\n    return 2")
        == set()
    )


def test_an_entry_counts_itself(package):
    assert changed(package, "entries.py", "def alone(x):\n    return x", "def alone(x): 1") == {
        "alone"
    }


def test_new_files_change_nothing_until_they_are_used(package):
    before = fingerprints(package)
    (package / "new.py").write_text("def new():\n    return 1\n")
    (package / "fronts" / "more.py").write_text("x = 1\n")
    assert fingerprints(package) == before
    using = "def alone(x):\n    from pkg.new import new\n\n    return new()"
    edit(package, "entries.py", "def alone(x):\n    return x", using)
    with_new = fingerprints(package)
    assert {key for key in ALL if before[key] != with_new[key]} == {"alone"}
    edit(package, "new.py", "return 1", "return 2")
    assert fingerprints(package)["alone"] != with_new["alone"]


def test_a_module_that_becomes_a_package_follows(package):
    before = fingerprints(package)
    (package / "formulas").mkdir()
    (package / "formulas.py").rename(package / "formulas" / "__init__.py")
    assert fingerprints(package) == before


def test_the_order_of_entries_is_irrelevant_and_their_set_is_not(package):
    sources = Package(package)
    both = sources.fingerprint(["entries:direct", "entries:alone"])
    assert both == sources.fingerprint(["entries:alone", "entries:direct"])
    assert both != sources.fingerprint(["entries:direct"])


@pytest.mark.parametrize("entry", ["entries:nothing", "nowhere:direct", "entries:used", "entries"])
def test_an_entry_that_does_not_exist_is_an_error(package, entry):
    with pytest.raises(ValueError, match=re.escape(entry.partition(":")[0])):
        Package(package).fingerprint([entry])


@pytest.mark.parametrize("instead", ["from pkg.fronts import *", "from .fronts import renamed"])
def test_star_and_relative_imports_are_refused(package, instead):
    edit(package, "entries.py", "from pkg.fronts import renamed", instead)
    with pytest.raises(ValueError, match=r"pkg\.entries: import"):
        Package(package).fingerprint(["entries:direct"])


class Unread(Package):
    """Sources of which nothing has to be found."""

    def fingerprint(self, entries):
        raise AssertionError(f"{list(entries)} was kept")


def test_what_one_process_finds_others_take_until_a_source_changes(package, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # the environment may say otherwise
    folder = tmp_path / "kept"
    one, other = Kept(Package(package), folder), Kept(Package(package), folder)
    direct = one.fingerprint(["entries:direct"])
    assert direct == Package(package).fingerprint(["entries:direct"])
    both = other.fingerprint(["entries:direct", "entries:alone"])
    one.save()
    other.save()
    third = Kept(Unread(package), folder)
    assert third.fingerprint(["entries:direct"]) == direct
    assert third.fingerprint(["entries:alone", "entries:direct"]) == both

    edit(package, "entries.py", "def direct", "# A comment.\ndef direct")
    with pytest.raises(AssertionError, match="was kept"):
        Kept(Unread(package), folder).fingerprint(["entries:direct"])
    edited = Kept(Package(package), folder)
    assert edited.fingerprint(["entries:direct"]) == direct
    edited.save()
    assert len(list(folder.iterdir())) == 1


def test_a_folder_for_fingerprints_that_is_of_no_use_costs_time_alone(
    package, tmp_path, monkeypatch
):
    folder = tmp_path / "kept"
    kept = Kept(Package(package), folder)
    found = kept.fingerprint(["entries:direct"])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    kept.save()
    assert not folder.exists()
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    kept.save()
    [file] = folder.iterdir()
    file.write_text('{"entries:')
    assert Kept(Package(package), folder).fingerprint(["entries:direct"]) == found
    shutil.rmtree(folder)
    folder.touch()
    kept.save()
    assert Kept(Package(package), folder).fingerprint(["entries:direct"]) == found


def test_a_fingerprint_does_not_depend_on_where_the_package_lies_or_when_it_is_read(tmp_path):
    copy = tmp_path / "a folder" / "linear_grokking"
    shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns("__pycache__"))
    entries = ["solvers.spectral:spectral"]
    here = fingerprint(entries)
    assert Package(copy).fingerprint(entries) == here
    module = "linear_grokking.results.fingerprint"
    code = f"from {module} import fingerprint; print(fingerprint({entries!r}))"
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONHASHSEED": str(random.randrange(1000))},
    )
    assert found.stdout.strip() == here


# Edits of this package itself: what each changes, of the runs of one kind or loss or law and
# of the later steps.
RUNS = {
    "spectral": ("linear", "spectral", {}),
    "linear steps": ("linear", "gradient_descent", {}),
    "two layers": ("two_layer", "gradient_flow", {}),
    "flow": ("logistic", "gradient_flow", {}),
    "steps": ("logistic", "gradient_descent", {}),
    "adam": ("logistic", "adam", {}),
    "exponential": ("logistic", "gradient_flow", {"loss": "exponential"}),
    "mixture": ("logistic", "gradient_flow", {"law": "mixture"}),
    "decided": ("logistic", "gradient_flow", {"labels": "threshold"}),
    "sets": ("logistic", "newton", {}),
    "orbit": ("two_point", "exact_orbit", {}),
}
PAPER_A = {"spectral", "linear steps", "two layers"}
FLOWS = {"flow", "exponential", "mixture", "decided"}
LOGISTIC = {*FLOWS, "steps", "adam"}
STEPS = {
    "summary": _REACHED["summarize_run"],
    "table": ("figures.a1:tabulate", "figures.a1:Options"),
    "drawing": ("figures.a1:draw",),
}


def entries():
    """Return the entry points of every kind of run above, and of the steps."""
    found = dict(STEPS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kinds, "fingerprint", lambda entries: entries)
        for name, (model, solver, values) in RUNS.items():
            (kind,) = (
                each
                for each in KINDS
                if (each.model, each.solver) == (model, solver)
                and each.measure != "outputs"
                and each.labels == values.get("labels", "random")
                and each.data == kinds.data_of(values)
            )
            found[name] = kind.code({"law": "gaussian", "loss": "cross_entropy"} | values)
    return found


def digests(root):
    sources = Package(root)
    return {name: sources.fingerprint(places) for name, places in entries().items()}


@pytest.fixture
def copy(tmp_path):
    root = tmp_path / "linear_grokking"
    shutil.copytree(SOURCES, root, ignore=shutil.ignore_patterns("__pycache__"))
    return root


@pytest.fixture(scope="module")
def unedited():
    return digests(SOURCES)


EDITS = [
    ("solvers/spectral.py", "eigenvalues, vectors = ", "eigenvalues, vectors = 1, ", {"spectral"}),
    (
        "solvers/gradient_descent.py",
        "self.step += steps",
        "self.step += 2 * steps",
        {"linear steps", *LOGISTIC} - {"adam"},
    ),
    ("solvers/two_layer_flow.py", "2.0 * rtol**0.2", "1.0 * rtol**0.2", {"two layers"}),
    ("models/losses.py", "slope * (1.0 - slope)", "slope - slope**2", LOGISTIC - {"exponential"}),
    ("models/losses.py", "means + 0.5 * deviations**2", "means + deviations**2", {"exponential"}),
    ("results/statistics.py", "CONFIDENCE = ", "CONFIDENCE = 0.5 * ", {"summary", "table"}),
    ("results/blocks.py", "realizations - 1)", "realizations - 2)", {"summary"}),
    ("figures/style.py", "BAND_ALPHA = ", "BAND_ALPHA = 0.5 * ", {"drawing"}),
    ("data/streams.py", "entropy=seed", "entropy=seed + 1", set(RUNS) - {"orbit"}),
    ("data/threshold_labels.py", "beyond = data", "beyond = -data", {"decided"}),
    ("models/threshold_labels.py", "1.0 - 2.0 * both", "2.0 - 2.0 * both", {"decided"}),
    ("data/draws.py", "np.sqrt(2.0 * shape", "np.sqrt(4.0 * shape", PAPER_A),
]
SILENT = [
    ("solvers/spectral.py", "\ndef _modes(", "\n# a comment\ndef _modes("),
    ("solvers/spectral.py", "\n# a comment\n", "\nUNUSED = 1\n\n\n# a comment\n"),
    ("solvers/log_flow/log_time.py", "import ", "import  "),
    ("theory/marchenko_pastur.py", "\ndef support(", "\nUNUSED = 1\n\n\ndef support("),
]
SIZES_OF_WORK = [
    ("jobs/costs.py", "CPU_GFLOPS = 50.0", "CPU_GFLOPS = 10.0"),
    ("jobs/costs.py", "return ", "return 2 * "),
    ("jobs/resources.py", "return ", "return 2 * "),
    ("jobs/kinds.py", "on_gpu=True", "on_gpu=False"),
    ("runtime/memory.py", "MEMORY_SHARE = ", "MEMORY_SHARE = 0.5 * "),
    ("runtime/memory.py", "BATCH_BYTES = ", "BATCH_BYTES = 2 * "),
    ("runtime/checkpoints.py", "import ", "import logging\nimport "),
    ("results/storage.py", 'SCHEMA_VERSION = "', 'SCHEMA_VERSION = "1'),
]


@pytest.mark.parametrize(("name", "old", "new", "expected"), EDITS)
def test_an_edit_changes_what_depends_on_it(copy, unedited, name, old, new, expected):
    edit(copy, name, old, new)
    after = digests(copy)
    assert {key for key in after if after[key] != unedited[key]} == expected


def test_layout_and_how_large_or_long_a_job_is_change_no_result(copy, unedited):
    """All at once, as none of them may count."""
    for each in (*SILENT, *SIZES_OF_WORK):
        edit(copy, *each)
    assert digests(copy) == unedited


def test_a_new_loss_beside_another_changes_no_result(copy, unedited):
    text = "class New(Loss):\n    name = 'new'\n\n\nLOSSES: "
    edit(copy, "models/losses.py", "LOSSES: ", text)
    edit(copy, "models/losses.py", "Exponential())}", "Exponential(), New())}")
    assert digests(copy) == unedited


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("solvers/spectral.py", "solvers/modes.py"),
        ("models/losses.py", "data/losses.py"),
        ("data/streams.py", "models/streams.py"),
        ("results/statistics.py", "results/numbers.py"),
        ("figures/style.py", "figures/looks.py"),
    ],
)
def test_a_module_may_move(copy, unedited, here, there):
    """Its importers follow it, as an editor would leave them."""
    (copy / here).rename(copy / there)
    old, new = (place.removesuffix(".py").replace("/", ".") for place in (here, there))
    (room, name), (new_room, new_name) = (each.rsplit(".", 1) for each in (old, new))

    def moved(match):
        indent, imported = match.groups()
        others = [each for each in imported.split(", ") if each != name]
        lines = [f"from linear_grokking.{new_room} import {new_name} as {name}"]
        lines += [f"from linear_grokking.{room} import {', '.join(others)}"] if others else []
        return "\n".join(indent + line for line in lines)

    for path in copy.rglob("*.py"):
        text = path.read_text().replace(
            f"from linear_grokking.{old} ", f"from linear_grokking.{new} "
        )
        line = rf"^( *)from linear_grokking\.{room} import ((?:\w+, )*{name}(?:, \w+)*)$"
        path.write_text(re.sub(line, moved, text, flags=re.MULTILINE))
    sources = Package(copy)
    after = {
        name: sources.fingerprint([place.replace(f"{old}:", f"{new}:") for place in places])
        for name, places in entries().items()
    }
    assert after == unedited
