"""Figure B1 where nothing is reached: what it draws must not depend on a finite time."""

import numpy as np
import pandas as pd
import pytest

from linear_grokking.figures import b1, style
from linear_grokking.figures.tables import TableBuilder
from linear_grokking.results.statistics import frame, of_values
from linear_grokking.theory.margin import limit_gen_accuracy

STEPS = np.geomspace(1, 1e6, 8)
LAMBDAS = (0.49, 0.52)


def table(time, norm):
    """Return a table of B1 whose times of 95 % accuracy, and norms ‖S_∞‖, all are as given."""
    builder = TableBuilder()
    for lambda_ in LAMBDAS:
        shown = {"lambda": lambda_}
        for panel, names in (
            ("loss", ("train", "generalization")),
            ("accuracy", ("train", "generalization")),
            ("weight_norm", ("weight_norm",)),
            ("bias", ("bias",)),
        ):
            for name in names:
                y = np.full(len(STEPS), 0.6)
                spread = {"y_low": y, "y_high": y, "n": 3}
                builder.add(panel, name, "experiment", STEPS, y, **spread, parameters=shown)
        point = {"y_low": time, "y_high": np.inf, "n": 3}
        builder.add("grokking_time", "t95", "experiment", lambda_, time, **point)
        point = {"y_low": norm, "y_high": np.inf, "n": 3}
        size = {"n_train": 30}
        builder.add("s_inf_norm", "median", "experiment", lambda_, norm, **point, parameters=size)
        builder.add("final_accuracy", "median", "experiment", lambda_, 0.6, y_low=0.6, y_high=0.6)
        builder.add("final_accuracy", "margin", "theory", lambda_, 0.6)
    frame = builder.frame()
    frame.attrs["threshold"] = 0.95
    return frame


@pytest.mark.parametrize(("time", "norm"), [(np.inf, np.inf), (np.inf, 2.0), (1e4, np.inf)])
def test_b1_is_drawn_though_no_run_reaches_95_per_cent(tmp_path, time, norm):
    with style.sheet():
        figure = b1.draw(table(time, norm))
        figure.savefig(tmp_path / "b1.png", dpi=30)
    # Two columns of three panels, and three panels below, two of them with an inset.
    norms, _, times = figure.axes[6:9]
    for axes in (norms, times):
        assert np.isfinite(axes.get_ylim()).all()
    triangles = [line for line in times.lines if line.get_marker() == "^" and len(line.get_xdata())]
    assert len(triangles) == (1 if np.isinf(time) else 0)


class Run:
    """A run of the given times, and accuracies at its end, of which some draws may be taken."""

    def __init__(self, times, accuracies):
        self.parameters = {"lambda": 0.48}
        self.values = {"t_gen": np.asarray(times), "final_gen_accuracy": np.asarray(accuracies)}

    def only(self, chosen):
        return Run(*(values[list(chosen)] for values in self.values.values()))

    def number(self, quantity):
        return frame(of_values(quantity, self.values[quantity])).iloc[0]


def test_shares_and_times_are_of_the_draws_whose_limits_are_known():
    # Six draws, of four of which the limit is known: one of these never arrives, and one late.
    times = [10.0, np.inf, 30.0, np.inf, np.inf, 1e9]
    accuracies = [0.98, 0.9, 0.97, 0.8, 0.8, 0.99]
    limits = pd.DataFrame({"realization": range(4), "limit": [1.0, 1.0, 1.0, 0.85]})
    builder = TableBuilder()
    b1._tabulate_end(builder, Run(times, accuracies), limits, 0.95)
    found = builder.frame().set_index(["panel", "series"])
    shares = found.loc["grokking_time_unreached", "y"]
    assert shares.to_dict() == {"never": 0.25, "censored": 0.25}
    assert set(found["n"]) == {4}
    assert found.loc[("final_accuracy", "at_t_max"), "y"] == pytest.approx(0.935)


@pytest.mark.parametrize(("sigma", "known"), [(5.0, 0.5197), (0.6, 3.8380)])
def test_large_sets_reach_the_threshold_up_to_one_lambda(sigma, known):
    last = b1._last_to_reach(0.95, sigma)
    assert last == pytest.approx(known, abs=1e-4)
    assert limit_gen_accuracy(last, sigma) == pytest.approx(0.95, abs=1e-9)
