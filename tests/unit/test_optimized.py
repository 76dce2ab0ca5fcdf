"""Python without docstrings and assertions (PYTHONOPTIMIZE=2) makes the same.

Nothing that a person or a file is given comes from a docstring, and no assertion does anything.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

EVERYTHING = """
import contextlib, importlib, io, json, pkgutil, sys
from pathlib import Path

import linear_grokking

for module in pkgutil.walk_packages(linear_grokking.__path__, "linear_grokking."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)

from linear_grokking.claims import registry as claims
from linear_grokking.figures import registry as figures
from linear_grokking.results import fingerprint
from linear_grokking.workflow.plan import json_schema

# Computed, and not what is kept on disk.
fingerprint._of_this_package = lambda: fingerprint.Package(Path(linear_grokking.__file__).parent)

from linear_grokking.cli import main


def help_on(command):
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
        main([command, "--help"])
    return said.getvalue()


request = {"figure": "A1", "options": {}, "runs": {"dynamics": [], "times": []}}
request |= {"threshold": 0.95, "loss_threshold": 1e-3}
undecided = claims.collect(claims.Evidence(Path(), request, None))
json.dump(
    {
        "optimize": sys.flags.optimize,
        "titles": {each: figures.title(each) for each in figures.figure_ids()},
        "fingerprints": [figures.draw_code("A1"), figures.tabulate_code("A1")],
        "schema": json_schema(),
        "help": {each: help_on(each) for each in ("train", "plan", "clean-stale")},
        "claims": [[claim.id, claim.statement] for claim in undecided],
        "of tests alone": sorted({"jaxtyping", "beartype"} & set(sys.modules)),
    },
    sys.stdout,
)
"""


def everything(optimize):
    """Return what a fresh interpreter makes."""
    done = subprocess.run(
        [sys.executable, "-c", EVERYTHING],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONOPTIMIZE": optimize, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def made():
    return {each: everything(each) for each in ("", "2")}


def test_titles_schema_claims_fingerprints_and_help_are_the_same(made):
    usual, optimized = made[""], made["2"]
    assert (usual.pop("optimize"), optimized.pop("optimize")) == (0, 2)
    assert optimized == usual
    for command, text in usual["help"].items():
        assert f"linear-grokking {command}" in text and len(text.splitlines()) > 5


def test_what_is_made_is_what_is_shipped(made):
    optimized = made["2"]
    stored = (REPOSITORY / "config" / "schema.json").read_text(encoding="utf-8")
    assert optimized["schema"] == json.loads(stored)
    assert [
        "A1-growth",
        "The grokking time grows without bound for λ → 1 from below.",
    ] in optimized["claims"]
    assert optimized["of tests alone"] == []


def test_every_title_is_one_line_of_its_own(made):
    titles = made["2"]["titles"]
    assert len(set(titles.values())) == len(titles) >= 25
    assert all(title and "\n" not in title and title[-1] != "." for title in titles.values())
