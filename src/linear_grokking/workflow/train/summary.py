"""Summary of a run: losses, accuracies, and when they were reached, compared with theory."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from linear_grokking.results.crossings import first_crossing, grokking_delay
from linear_grokking.workflow.predict.times import Prediction

_TITLES = {
    "train_loss": "training loss",
    "gen_loss": "generalization loss",
    "train_accuracy": "training accuracy",
    "gen_accuracy": "generalization accuracy",
    "weight_norm": "norm of the weights",
    "bias": "bias",
}
_TIMES = {
    "train": "training",
    "generalization": "generalization",
    "grokking_time": "grokking time",
}


def compare(
    history: Mapping[str, np.ndarray], prediction: Prediction, accuracy: float
) -> dict[str, tuple[float, float | None, float | None]]:
    """Return the first times of the accuracies and their difference: measured, predicted, ratio.

    A time is inf if it never comes.  A prediction is None if there is no formula, and a ratio is
    None unless both times are positive and finite.
    """
    train, gen = (
        first_crossing(history["step"], history[name], accuracy)
        for name in ("train_accuracy", "gen_accuracy")
    )
    measured = (train, gen, grokking_delay(train, gen))
    train, gen = prediction.train_time, prediction.gen_time
    delay = None if train is None or gen is None else float(grokking_delay(train, gen))
    predicted = (train, gen, delay)
    return {
        name: (float(ours), theirs, _ratio(float(ours), theirs))
        for name, ours, theirs in zip(_TIMES, measured, predicted, strict=True)
    }


def summarize(
    history: Mapping[str, np.ndarray], prediction: Prediction, accuracy: float
) -> dict[str, Any]:
    """Return the summary as plain values; None stands for not reached or not known."""
    compared = compare(history, prediction, accuracy)
    return {
        "final": {name: float(history[name][-1]) for name in _TITLES if name in history},
        "accuracy": accuracy,
        "measured": {name: _finite(time) for name, (time, _, _) in compared.items()},
        "predicted": {name: _finite(time) for name, (_, time, _) in compared.items()},
        "ratio": {name: ratio for name, (_, _, ratio) in compared.items()},
        "prediction": prediction.source,
        "predicted_deviation": prediction.gen_time_deviation,
    }


def table(history: Mapping[str, np.ndarray], prediction: Prediction, accuracy: float) -> list[str]:
    """Return the summary as lines of text."""
    steps = history["step"]
    lines = [_row("", "step 0", f"step {steps[-1]:.6g}")]
    for name, title in _TITLES.items():
        if name in history:
            lines.append(_row(title, *(f"{history[name][k]:.4g}" for k in (0, -1))))
    lines += ["", _row(f"steps to {100 * accuracy:g} % accuracy", "measured", "predicted", "ratio")]
    for name, (measured, predicted, ratio) in compare(history, prediction, accuracy).items():
        cells = (_time(measured, "not reached"), _time(predicted, "never"))
        lines.append(_row(_TIMES[name], *cells, "-" if ratio is None else f"{ratio:.3f}"))
    lines.append(f"Predicted: {prediction.source}.")
    if prediction.gen_time_deviation is not None:
        share = 100 * prediction.gen_time_deviation / (prediction.gen_time or np.inf)
        lines.append(
            "Over draws the generalization time has a standard deviation of "
            f"{prediction.gen_time_deviation:.5g} steps ({share:.2g} %)."
        )
    return lines


def _row(title: str, *cells: str) -> str:
    return f"{title:<28}" + "".join(f"{cell:>16}" for cell in cells)


def _time(time: float | None, infinite: str) -> str:
    if time is None:
        return "-"
    return f"{time:.5g}" if np.isfinite(time) else infinite


def _ratio(measured: float, predicted: float | None) -> float | None:
    if predicted is None or not (0 < predicted < np.inf and 0 < measured < np.inf):
        return None
    return measured / predicted


def _finite(time: float | None) -> float | None:
    return None if time is None or not np.isfinite(time) else time
