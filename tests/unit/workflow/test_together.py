"""Figures whose runs cannot be drawn together are refused: by the plan, or by their table."""

import copy
import inspect
import re
from pathlib import Path

import pytest
from small_plan import CONFIGURATION

from linear_grokking.config import ConfigurationError, load_merged
from linear_grokking.errors import LinearGrokkingError
from linear_grokking.figures import registry
from linear_grokking.workflow.plan import Plan, read, together

CONFIG = Path(__file__).parents[3] / "config"
OVERLAYS = {"config": (), "smoke": ("smoke.yaml",), "paper": ("paper.yaml",)}


def whole(*overlays):
    return load_merged([CONFIG / name for name in ("config.yaml", *overlays)])


def changed(raw, experiment, root=Path(), **values):
    raw = copy.deepcopy(raw)
    raw["experiments"][experiment] |= values
    return Plan(read(raw), root)


@pytest.mark.parametrize("size", OVERLAYS)
def test_our_configurations_pass(size):
    together.check(Plan(read(whole(*OVERLAYS[size]))))


@pytest.mark.parametrize(
    ("experiment", "values", "says"),
    [
        ("b10_adam", {"realizations": 7}, "figures.B10: adam, separability: lambda = 0.4: .* 7 re"),
        ("b10_adam", {"lambda": [0.46]}, r"figures.B10: adam, .* at lambda = \[0.46\]"),
        ("b9_dynamics", {"seed": 3}, "figures.B9: dynamics, separability: .* seed = 3"),
        ("b17_dynamics", {"realizations": 10**4}, "figures.B17: dynamics, small, large: .* 10000 "),
        ("b13_dynamics", {"lambda": [0.48]}, "B13: dynamics, cross_entropy: lambda = .*: only one"),
        ("b2_without_bias", {"lambda": [0.48]}, "B2: with_bias, without_bias: lambda = 0.4, 0.55:"),
        ("e2", {"margin": False}, "figures.B7: margins: its runs must have margin: true"),
    ],
)
def test_runs_without_partners_are_refused_before_anything_runs(experiment, values, says):
    plan = changed(whole(), experiment, **values)
    with pytest.raises(ConfigurationError, match=says):
        together.check(plan)


def test_each_figure_that_pairs_runs_checks_them():
    for figure_id in registry.figure_ids():
        module = registry.module(figure_id)
        pairs = re.search("pair_runs|with_limits|by_verdict", inspect.getsource(module.tabulate))
        # B7 needs margins; all others pair runs.
        assert hasattr(module, "check") == (bool(pairs) or figure_id == "B7"), figure_id


@pytest.mark.parametrize(("key", "values"), [("gamma", [0, 0.001]), ("d_in", [20, 40])])
def test_a_list_that_a_figure_does_not_tell_apart_is_refused(tmp_path, make, key, values):
    plan = changed(CONFIGURATION, "lin", tmp_path, **{key: values})
    says = rf"figure A1: cannot .* list: lin \({key}\); lin \({key}\)"
    with pytest.raises(LinearGrokkingError, match=says):
        make(plan)
    assert not (tmp_path / "figures").exists()
