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
import importlib, json, pkgutil, sys
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

request = {"figure": "A1", "options": {}, "runs": {"dynamics": [], "times": []}}
request |= {"threshold": 0.95, "loss_threshold": 1e-3}
undecided = claims.collect(claims.Evidence(Path(), request, None))
json.dump(
    {
        "optimize": sys.flags.optimize,
        "titles": {each: figures.title(each) for each in figures.figure_ids()},
        "fingerprints": [figures.draw_code("A1"), figures.tabulate_code("A1")],
        "schema": json_schema(),
        "claims": [[claim.id, claim.statement] for claim in undecided],
        "of tests alone": sorted({"jaxtyping", "beartype"} & set(sys.modules)),
    },
    sys.stdout,
)
"""


def python(optimize, *arguments):
    """Return what a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONOPTIMIZE": optimize, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def made():
    return {each: json.loads(python(each, "-c", EVERYTHING)) for each in ("", "2")}


def test_titles_schema_claims_and_fingerprints_are_the_same(made):
    usual, optimized = made[""], made["2"]
    assert (usual.pop("optimize"), optimized.pop("optimize")) == (0, 2)
    assert optimized == usual


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


@pytest.mark.parametrize("command", ["train", "plan", "clean-stale"])
def test_help_is_the_same(command):
    arguments = ["-m", "linear_grokking", command, "--help"]
    assert python("2", *arguments) == python("", *arguments)
