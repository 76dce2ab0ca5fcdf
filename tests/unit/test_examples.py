"""The examples in docstrings print what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "src"


def module_of(path):
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


MODULES = [module_of(p) for p in sorted(SOURCE.rglob("*.py")) if ">>> " in p.read_text("utf-8")]


@pytest.mark.parametrize("module", MODULES)
def test_examples(module, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    done = doctest.testmod(importlib.import_module(module))
    assert done.attempted > 0 and done.failed == 0


def test_what_a_newcomer_copies_has_one():
    first = {"load.frames", "analysis.analyzing", "workflow.predict", "theory.linear_grokking_time"}
    assert {f"linear_grokking.{name}" for name in first} <= set(MODULES)
