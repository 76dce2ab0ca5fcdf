"""The tables behind Fig. A9: distributions of the grokking time, measured and by formula."""

import numpy as np
from scipy.special import ndtr

from linear_grokking.figures.linear_panels import problem_of, times_to_loss
from linear_grokking.figures.points import tabulate_scalar
from linear_grokking.figures.tables import FigureData, TableBuilder
from linear_grokking.results.reading import RunResult, by_value
from linear_grokking.results.statistics import deviation_interval
from linear_grokking.theory import hard_edge
from linear_grokking.theory.linear import loss_threshold
from linear_grokking.theory.linear_grokking_time import gen_time
from linear_grokking.theory.linear_scatter import gen_time_deviation
from linear_grokking.theory.margin import normal_density

_SHOWN = 600
"""Largest number of points of an empirical distribution."""
_QUARTILES = {"one_mode": 0.5, "one_mode_low": 0.25, "one_mode_high": 0.75}
"""Series of the slowest mode's law → the share of draws below it."""
_MOST_LEVEL = 0.05
"""Largest d_in L up to which the law of the slowest mode alone is shown."""


def loss_times(run: RunResult, threshold: float) -> np.ndarray:
    """Return the steps (R,) at which each generalization loss falls to that of an accuracy."""
    level = loss_threshold(run.parameters["epsilon"], accuracy=threshold)
    (times,) = times_to_loss(run, float(level), ["gen_loss"])
    return times


def beside(runs: list[RunResult], run: RunResult) -> RunResult | None:
    """Return the run among ``runs`` that has the d_in, λ, η and ε of ``run``, or None."""
    keys = ("d_in", "lambda", "eta", "epsilon")
    same = (r for r in runs if all(r.parameters[key] == run.parameters[key] for key in keys))
    return next(same, None)


def normal_law(run: RunResult, threshold: float) -> tuple[float, float]:
    """Return mean and deviation of t_gen by the formulas."""
    problem, epsilon = problem_of(run.parameters), run.parameters["epsilon"]
    mean = gen_time(problem, epsilon, accuracy=threshold)
    deviation = gen_time_deviation(problem, run.parameters["d_in"], epsilon, accuracy=threshold)
    return float(mean), float(deviation)


def tabulate_law(builder: TableBuilder, data: FigureData, bins: int) -> None:
    """Add the distribution of t_gen in the first run ``law``, and the normal law by formula."""
    run = data.runs("law")[0]
    times = run.scalars["t_gen"].to_numpy(float)
    density, edges = np.histogram(times, bins, density=True)
    shown = {key: run.parameters[key] for key in ("lambda", "d_in", "epsilon")}
    centres = (edges[1:] + edges[:-1]) / 2
    builder.add("density", "draws", "experiment", centres, density, shown, n=len(times))
    mean, deviation = normal_law(run, data.threshold)
    x = mean + deviation * np.linspace(-3.5, 5, 200)
    bell = normal_density((x - mean) / deviation) / deviation
    builder.add("density", "normal", "theory", x, bell, shown)


def tabulate_matrices(builder: TableBuilder, data: FigureData) -> None:
    """Add the distribution of t_gen with data (in the first run ``matrices``) and without."""
    run = data.runs("matrices")[0]
    drawn = beside(data.runs("scatter"), run)
    shown = {key: run.parameters[key] for key in ("lambda", "d_in", "epsilon")}
    found = [("matrices", loss_times(run, data.threshold))]
    if drawn is not None:
        found.append(("draws", drawn.scalars["t_gen"].to_numpy(float)))
    for series, times in found:
        share = (np.arange(len(times)) + 0.5) / len(times)
        builder.add("cumulative", series, "experiment", np.sort(times), share, shown, n=len(times))
    mean, deviation = normal_law(run, data.threshold)
    x = mean + deviation * np.linspace(-2.5, 4, 100)
    builder.add("cumulative", "normal", "theory", x, ndtr((x - mean) / deviation), shown)


def tabulate_deviations(builder: TableBuilder, data: FigureData, lambda_: np.ndarray) -> None:
    """Add √d sd(t_gen)/t_gen for λ < 1; its formula is the same for all sizes."""
    runs = {run.run_id: run for run in data.runs("scatter", "law")}
    for run in runs.values():
        parameters = run.parameters
        if parameters["lambda"] >= 1:
            continue
        mean, _ = normal_law(run, data.threshold)
        unit = np.sqrt(parameters["d_in"]) / mean
        value, low, high = deviation_interval(run.scalars["t_gen"])
        spread = {"y_low": low * unit, "y_high": high * unit, "n": run.realizations}
        shown = {"d_in": parameters["d_in"], "epsilon": parameters["epsilon"]}
        at = parameters["lambda"]
        builder.add("deviation", "draws", "experiment", at, value * unit, shown, **spread)
    parameters = data.runs("law")[0].parameters
    below, shown = lambda_[lambda_ < 1], {"epsilon": parameters["epsilon"]}
    problem = problem_of(parameters, **{"lambda": below})
    given = {"accuracy": data.threshold, **shown}
    formula = gen_time_deviation(problem, 1, **given) / gen_time(problem, **given)
    builder.add("deviation", "formula", "theory", below, formula, shown)


def tabulate_hard_edge(builder: TableBuilder, data: FigureData) -> None:
    """Add the laws of the smallest eigenvalue and of t_gen in the runs ``hard_edge`` with N ≥ d."""
    for run in data.runs("hard_edge"):
        sizes = {key: run.parameters[key] for key in ("n_train", "d_in")}
        excess = sizes["n_train"] - sizes["d_in"]
        if excess < 0:
            continue
        n = run.realizations
        rank = np.unique(np.geomspace(1, n - 1, _SHOWN).astype(int))
        share = rank / n
        scaled = np.sort(run.scalars["smallest_eigenvalue"]) * sizes["n_train"] * sizes["d_in"]
        times = np.sort(run.scalars["t_gen"])[::-1]
        for panel, x in (("smallest_eigenvalue", scaled), ("survival", times)):
            builder.add(panel, "draws", "experiment", x[rank - 1], share, sizes, n=n)
        s = np.geomspace(scaled[0] / 3, scaled[-1], 100)
        nu = s / (sizes["n_train"] * sizes["d_in"])
        tail = hard_edge.smallest_eigenvalue_tail(nu, **sizes)
        builder.add("smallest_eigenvalue", "tail", "theory", s, tail, sizes)
        loss = loss_threshold(run.parameters["epsilon"], accuracy=data.threshold)
        given = {"loss": loss, "eta": run.parameters["eta"], **sizes}
        t = np.geomspace(times[-1], 3 * times[0], 200)
        late = hard_edge.gen_time_tail(t, **given)
        builder.add("survival", "tail", "theory", t, late, sizes)
        if excess <= 1:
            exact = hard_edge.smallest_eigenvalue_cdf(s, excess)
            builder.add("smallest_eigenvalue", "law", "theory", s, exact, sizes)
            one = hard_edge.gen_time_survival(t, **given)
            builder.add("survival", "one_mode", "theory", t, one, sizes)


def tabulate_critical(builder: TableBuilder, data: FigureData) -> None:
    """Add medians of t_gen against d_in, those of the slowest mode's law, and a slope of 2."""
    runs = data.runs("critical")
    tabulate_scalar(builder, runs, "t_gen", "median", "draws", "d_in", ["epsilon"])
    for epsilon, some in sorted(by_value(runs, "epsilon").items()):
        sizes = np.array([run.parameters["d_in"] for run in some])
        d = np.geomspace(sizes.min(), sizes.max(), 40)
        loss, eta = loss_threshold(epsilon, accuracy=data.threshold), some[0].parameters["eta"]
        for series, share in _QUARTILES.items():
            # At larger d L, the slowest mode of many draws starts below the loss: others decide.
            few = d[d * loss < _MOST_LEVEL]
            y = hard_edge.gen_time_quantile(share, loss, few, few, eta)
            builder.add("median", series, "theory", few, y, {"epsilon": epsilon})
        smallest = some[int(sizes.argmin())].number("t_gen")["median"]
        slope = smallest * (d / sizes.min()) ** 2
        builder.add("median", "square", "theory", d, slope, {"epsilon": epsilon})
