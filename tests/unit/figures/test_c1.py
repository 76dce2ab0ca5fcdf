"""Figure C1 on small nets: its table against the runs behind it."""

import numpy as np
import pytest
from figure_tables import drawn, pick

from linear_grokking.figures import c1
from linear_grokking.figures.tables import FigureData
from linear_grokking.report.captions import category
from linear_grokking.workflow.plan import targets

NET = {"model": "modular", "p": 7, "d_h": 32, "realizations": 2, "records": 60}
CONFIG = {
    "seed": 5,
    "device": "cpu",
    "experiments": {
        "sparse": {**NET, "train_fraction": 0.3, "t_max": 60},
        "near": {**NET, "train_fraction": [0.5, 0.8], "t_max": 1500},
        "dense": {**NET, "train_fraction": 0.9, "t_max": 600},
        "weak": {**NET, "train_fraction": 0.8, "gamma": 0.25, "t_max": 3000},
        "decay": {**NET, "train_fraction": 0.8, "gamma": 0.5, "t_max": 1500},
        "strong": {**NET, "train_fraction": 0.8, "gamma": 2, "t_max": 600},
        "rates": {**NET, "train_fraction": 0.8, "eta": 0.005, "t_max": 1500},
    },
    "figures": {
        "C1": {
            "sparse": "sparse",
            "near": "near",
            "dense": "dense",
            "weak_decay": "weak",
            "decay": "decay",
            "strong_decay": "strong",
            "rates": "rates",
            "shown": [0.3, 0.8],
        }
    },
}


@pytest.fixture
def table(tables):
    return tables["C1"]


@pytest.fixture
def data(plan):
    return FigureData(plan.root, targets.table(plan, "C1").request)


def test_dynamics_are_those_of_the_fractions_shown(table, data):
    for panel in ("loss", "accuracy"):
        for series in ("train", "generalization"):
            found = pick(table, panel, series, "experiment")
            assert set(found["train_fraction"]) == {0.3, 0.8}
    [run] = [run for run in data.runs("near") if run.parameters["train_fraction"] == 0.8]
    steps, losses = run.curves("gen_loss")
    found = pick(table, "loss", "generalization", "experiment", train_fraction=0.8)
    np.testing.assert_array_equal(found["x"], steps)
    np.testing.assert_allclose(found["y"], losses.mean(axis=0), rtol=1e-12)  # of two: the median


def test_a_fraction_is_a_number_of_pairs(data):
    for run in data.runs("sparse", "near", "dense"):
        assert run.parameters["n_train"] == round(run.parameters["train_fraction"] * 49)


@pytest.mark.parametrize(("series", "scalar"), [("train", "t_train"), ("generalization", "t_gen")])
def test_times_stand_at_their_fraction_and_decay(table, data, series, scalar):
    runs = data.runs("sparse", "near", "dense")
    found = pick(table, "times", series, "experiment").set_index("x")["y"]
    assert list(found.index) == [0.3, 0.5, 0.8, 0.9]
    for run in runs:
        expected = np.mean(run.scalars[scalar])
        assert found[run.parameters["train_fraction"]] == pytest.approx(expected)
    by_decay = pick(table, "decay_times", series, "experiment")
    assert set(by_decay["train_fraction"]) == {0.8}
    np.testing.assert_allclose(by_decay["x"], [100, 400, 200, 50, 200])
    others = data.runs("weak_decay", "decay", "strong_decay", "rates")
    expected = [np.mean(run.scalars[scalar]) for run in others]
    np.testing.assert_allclose(by_decay["y"][1:], expected)


def test_what_does_not_generalize_in_time_is_never(table):
    [time] = pick(table, "times", "generalization", "experiment", x=0.3)["y"]
    assert time == np.inf


def test_what_was_not_reached_stands_at_the_end_of_its_runs(table):
    """Neither at the edge of the axes nor above what has been looked at."""
    table = table.copy()
    some = (table["panel"] == "decay_times") & (table["x"] == 400)
    table.loc[some, ["y", "y_low", "y_high"]] = 900, 700, np.inf  # a quarter of the nets, or more
    ends = {0.3: 60, 0.5: 1500, 0.8: 1500, 0.9: 600, 100: 1500, 400: 3000, 200: 1500, 50: 600}
    axes = dict(zip(("times", "decay_times"), c1.draw(table).axes[2:], strict=True))
    for panel in axes:
        drawn = [line for line in axes[panel].lines if line.get_marker() == "^"]
        assert all(line.get_transform() is axes[panel].transData for line in drawn)
        found = np.concatenate([line.get_xydata() for line in drawn]).tolist()
        own = table[table["panel"] == panel]
        own = own if panel == "times" else own[own["series"] == "generalization"]
        expected = [[x, ends[x]] for x in own.loc[np.isinf(own["y_high"]), "x"]]
        assert expected and sorted(found) == sorted(expected)
        assert not axes[panel].texts  # arrowheads to the edge
    bars = [path for bar in axes["decay_times"].collections for path in bar.get_paths()]
    assert max(path.vertices[-1, 1] for path in bars) == 3000


def test_it_is_drawn_with_its_panels(table, tmp_path):
    figure = drawn("C1", table, tmp_path / "C1.png")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["(a)", "(b)", "(c)", "(d)"]
    assert category("C1") == "Beyond both papers"
