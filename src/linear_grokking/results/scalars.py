"""Scalars: one row per realization, with the numbers that figures and claims need.

Times are in steps.  inf means that the event did not happen before the run ended or, where a run
has no end, that it never happens.
"""

import numpy as np

from linear_grokking.results.crossings import first_crossing, grokking_delay
from linear_grokking.shapes import Columns

TIMES = ("t_train", "t_gen", "grokking_time", "t_train_loss", "t_gen_loss")
"""Columns in which inf means "not before the run ended"."""
_LEARNING = ("train_loss", "gen_loss", "train_accuracy", "gen_accuracy")


def curves(history: Columns, *names: str) -> tuple[np.ndarray, ...]:
    """Return the realizations (R,), the recorded steps (T,), and each column as (R, T).

    Raises
    ------
    ValueError
        If a column is missing, or steps differ between realizations.
    """
    missing = sorted({"realization", "step", *names} - set(history))
    if missing or not len(history["step"]):
        raise ValueError(f"history must have rows, and the columns {missing or list(names)}")
    drawn, at = np.asarray(history["realization"]), np.asarray(history["step"], float)
    order = np.lexsort((at, drawn))
    realizations, steps = np.unique(drawn), np.unique(at)
    shape = (len(realizations), len(steps))
    if len(at) != shape[0] * shape[1] or not np.array_equal(
        at[order].reshape(shape), np.broadcast_to(steps, shape)
    ):
        raise ValueError("history must hold the same steps, once each, for every realization")
    found = (np.asarray(history[name], float)[order].reshape(shape) for name in names)
    return realizations, steps, *found


def observables(history: Columns) -> list[str]:
    """Return the names of a history's observables."""
    return [name for name in history if name not in ("realization", "step")]


def of_dynamics(history: Columns, *, threshold: float, loss_threshold: float) -> Columns:
    """Return the scalars of a history.

    Parameters
    ----------
    history
        Columns ``realization``, ``step`` and the observables; rows in any order, the same
        steps for all realizations.
    threshold, loss_threshold
        Accuracy and loss that count as reached.

    Returns
    -------
    Columns
        ``t_train``, ``t_gen`` and ``grokking_time`` (Paper A, Sec. 3), ``t_train_loss`` and
        ``t_gen_loss`` (Paper B, Sec. 4.1); ``final_<observable>``; the first and the least
        generalization loss, and the first step with the least; the largest generalization
        accuracy.

    Raises
    ------
    ValueError
        If a column is missing, or steps differ between realizations.
    """
    names = list(dict.fromkeys([*_LEARNING, *observables(history)]))
    realizations, steps, *values = curves(history, *names)
    found = dict(zip(names, values, strict=True))
    t_train, t_gen = (
        first_crossing(steps, found[f"{which}_accuracy"], threshold) for which in ("train", "gen")
    )
    with np.errstate(divide="ignore"):
        by_loss = {
            f"t_{which}_loss": first_crossing(
                steps, -np.log(found[f"{which}_loss"]), -np.log(loss_threshold)
            )
            for which in ("train", "gen")
        }
    return {
        "realization": realizations,
        "t_train": t_train,
        "t_gen": t_gen,
        "grokking_time": grokking_delay(t_train, t_gen),
        **by_loss,
        **{f"final_{name}": curve[:, -1] for name, curve in found.items()},
        "initial_gen_loss": found["gen_loss"][:, 0],
        "min_gen_loss": found["gen_loss"].min(axis=1),
        "step_of_min_gen_loss": steps[found["gen_loss"].argmin(axis=1)],
        "max_gen_accuracy": found["gen_accuracy"].max(axis=1),
    }


def of_separability(rows: Columns) -> Columns:
    """Return the scalars of separability: the rows, one per realization, and one more column.

    Returns
    -------
    Columns
        ``positive_projection`` is the mean of the positive projections on S_∞/‖S_∞‖, in the
        unit of the inputs (Paper B, App. E.1, Fig. 7); null where ``positive_mean`` is.
    """
    rows = _in_order(rows)
    projection = rows["positive_mean"].astype(float) / rows["s_inf_norm"].astype(float)
    return {**rows, "positive_projection": projection}


def of_grokking_times(rows: Columns) -> Columns:
    """Return the scalars of grokking times: the rows, one per realization, and the difference.

    Times are exact, and inf means never.
    """
    rows = _in_order(rows)
    return {**rows, "grokking_time": grokking_delay(rows["t_train"], rows["t_gen"])}


def of_outputs(rows: Columns) -> Columns:
    """Return the scalars of training outputs.

    Returns
    -------
    Columns
        ``output_mean``, ``output_deviation`` and ``positive_fraction``, the fraction of
        training outputs above 0.
    """
    rows = _in_order({name: rows[name] for name in ("realization", "output")})
    realizations, starts = np.unique(rows["realization"], return_index=True)
    groups = np.split(rows["output"], starts[1:])
    return {
        "realization": realizations,
        "output_mean": np.array([outputs.mean() for outputs in groups]),
        "output_deviation": np.array([outputs.std() for outputs in groups]),
        "positive_fraction": np.array([(outputs > 0).mean() for outputs in groups]),
    }


def _in_order(rows: Columns) -> dict[str, np.ndarray]:
    """Return rows in the order of their realizations."""
    order = np.argsort(rows["realization"], kind="stable")
    return {name: np.asarray(rows[name])[order] for name in rows}
