"""What the figures of Paper A's one-layer model share: theory curves and grokking times."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from linear_grokking.figures import style
from linear_grokking.figures.dynamics import draw_dynamics, tabulate_dynamics, value_legend
from linear_grokking.figures.points import draw_lines, draw_points
from linear_grokking.figures.tables import RunResult, TableBuilder
from linear_grokking.theory import linear, linear_grokking_time

_THEORY_KEYS = ("gamma", "d_out", "alpha", "noise")
_LOSSES = {"train": linear.train_loss, "generalization": linear.gen_loss}


def theory_arguments(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's parameters under the names that the theory's functions use."""
    named = {key: parameters[key] for key in _THEORY_KEYS}
    return {"lambda_": parameters["lambda"], "eta": parameters["eta"], **named}


def tabulate_runs(builder: TableBuilder, runs: Iterable[RunResult], keys: Sequence[str]) -> None:
    """Add measured and theoretical losses and accuracies, told apart by some parameters."""
    for run in runs:
        tabulate_dynamics(builder, run, {key: run.parameters[key] for key in keys})
        tabulate_theory(builder, run, keys)


def tabulate_theory(builder: TableBuilder, run: RunResult, keys: Sequence[str]) -> None:
    """Add the large-size losses and accuracies of a run at its recorded steps.

    Series ``train`` and ``generalization`` are gradient flow's, as in the paper;
    ``train_discrete`` and ``generalization_discrete`` take the finite learning rate into
    account, (1 - 2ην)^{2t} in place of e^{-4ηνt}.
    """
    steps = run.curve("train_loss")["step"].to_numpy()
    arguments = theory_arguments(run.parameters)
    parameters = {key: run.parameters[key] for key in keys}
    for series, function in _LOSSES.items():
        for suffix, discrete in (("", False), ("_discrete", True)):
            loss = function(steps, discrete=discrete, **arguments)
            accuracy = linear.accuracy(loss, run.parameters["epsilon"], run.parameters["d_out"])
            for panel, values in (("loss", loss), ("accuracy", accuracy)):
                builder.add(panel, series + suffix, "theory", steps, values, parameters=parameters)


def tabulate_times(
    builder: TableBuilder, runs: Iterable[RunResult], x: str, keys: Sequence[str]
) -> None:
    """Add measured grokking times against ``x``: medians with quartiles (inf: never)."""
    for run in runs:
        row = run.scalar("grokking_time")
        builder.add(
            "grokking_time",
            "time",
            "experiment",
            run.parameters[x],
            row["median"],
            y_low=row["q25"],
            y_high=row["q75"],
            n=row["n"],
            parameters={key: run.parameters[key] for key in keys},
        )


def tabulate_time_curve(
    builder: TableBuilder,
    x: str,
    values: np.ndarray,
    parameters: Mapping[str, Any],
    keys: Sequence[str],
    threshold: float,
) -> None:
    """Add the theory's grokking time against ``x``; inf where generalization never comes.

    ``parameters`` holds λ, η, ε, γ and d_out under configuration keys; ``x`` replaces one.
    """
    arguments: dict[str, Any] = {**parameters, x: values}
    times = linear_grokking_time.grokking_time(
        arguments.pop("lambda"),
        arguments.pop("eta"),
        arguments.pop("epsilon"),
        accuracy=threshold,
        **arguments,
    )
    shown = {key: parameters[key] for key in keys}
    builder.add("grokking_time", "time", "theory", values, times, parameters=shown)


def draw_runs(axes: Sequence[Axes], table: pd.DataFrame, key: str) -> None:
    """Draw losses and accuracies, coloured by one parameter, with its legend in the first."""
    colours = style.colours(sorted(table.loc[table["panel"] == "loss", key].dropna().unique()))
    for each, panel in zip(axes, ("loss", "accuracy"), strict=True):
        draw_dynamics(each, table, panel, key, colours)
    value_legend(axes[0], key, colours, loc="lower left")


def draw_times(axes: Axes, table: pd.DataFrame, x: str, by: str) -> dict[Any, str]:
    """Draw grokking times against ``x``, theory as lines, measurements as points.

    Returns the colour of each value of ``by``.
    """
    times = table[table["panel"] == "grokking_time"]
    colours = style.colours(sorted(times[by].dropna().unique()))
    draw_lines(axes, table, "grokking_time", "time", {}, by=by, colours=colours)
    axes.set_yscale("log")
    axes.set_xlabel(style.SYMBOLS[x])
    axes.set_ylabel(r"grokking time $\Delta t$ (steps)")
    _limit_times(axes, times)
    for value, colour in colours.items():
        measured = (times["source"] == "experiment") & (times[by] == value)
        draw_points(axes, times[measured], colour)
    return colours


def _limit_times(axes: Axes, times: pd.DataFrame) -> None:
    """Show the times that theory finds, but not the last decades of a divergence."""
    shown = np.isfinite(times["y"]) & (times["y"] > 0) & (times["source"] == "theory")
    finite = times.loc[shown, "y"]
    top = min(finite.max(), 100 * finite.quantile(0.9))
    axes.set_ylim(finite.min() / 2, 2 * top)
