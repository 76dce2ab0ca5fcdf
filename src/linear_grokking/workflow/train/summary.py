"""What a run came to: losses, accuracies, and when they were reached, beside the theory."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from linear_grokking.results.crossings import first_crossing, grokking_delay
from linear_grokking.workflow.train.predictions import Prediction

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


def measured_times(history: Mapping[str, np.ndarray], accuracy: float) -> dict[str, float]:
    """Return the first times of the accuracies and their difference; inf where not reached."""
    train, gen = (
        float(first_crossing(history["step"], history[name], accuracy))
        for name in ("train_accuracy", "gen_accuracy")
    )
    return {
        "train": train,
        "generalization": gen,
        "grokking_time": float(grokking_delay(train, gen)),
    }


def predicted_times(prediction: Prediction) -> dict[str, float | None]:
    """Return the predicted times under the names of `measured_times`."""
    train, gen = prediction.train_time, prediction.gen_time
    delay = None if train is None or gen is None else float(grokking_delay(train, gen))
    return {"train": train, "generalization": gen, "grokking_time": delay}


def ratio(measured: float, predicted: float | None) -> float | None:
    """Return measured over predicted, None where either is not a positive number."""
    if predicted is None or not (np.isfinite(predicted) and np.isfinite(measured)):
        return None
    return measured / predicted if predicted > 0 and measured > 0 else None


def summarize(
    history: Mapping[str, np.ndarray], prediction: Prediction, accuracy: float
) -> dict[str, Any]:
    """Return the summary as plain values; None stands for what is not reached or not known."""
    measured = measured_times(history, accuracy)
    predicted = predicted_times(prediction)
    return {
        "final": {name: float(history[name][-1]) for name in _TITLES if name in history},
        "accuracy": accuracy,
        "measured": {name: _finite(time) for name, time in measured.items()},
        "predicted": {name: _finite(time) for name, time in predicted.items()},
        "ratio": {name: ratio(measured[name], predicted[name]) for name in measured},
        "prediction": prediction.source,
    }


def table(history: Mapping[str, np.ndarray], prediction: Prediction, accuracy: float) -> list[str]:
    """Return the summary as lines of text."""
    steps = history["step"]
    lines = [_row("", "step 0", f"step {steps[-1]:.6g}")]
    for name, title in _TITLES.items():
        if name in history:
            lines.append(_row(title, *(f"{history[name][k]:.4g}" for k in (0, -1))))
    measured = measured_times(history, accuracy)
    predicted = predicted_times(prediction)
    lines += ["", _row(f"steps to {100 * accuracy:g} % accuracy", "measured", "predicted", "ratio")]
    for name, title in _TIMES.items():
        found = ratio(measured[name], predicted[name])
        lines.append(
            _row(
                title,
                f"{measured[name]:.5g}" if np.isfinite(measured[name]) else "not reached",
                _predicted(predicted[name]),
                "-" if found is None else f"{found:.3f}",
            )
        )
    lines.append(f"Predicted: {prediction.source}.")
    return lines


def _row(title: str, *cells: str) -> str:
    return f"{title:<28}" + "".join(f"{cell:>16}" for cell in cells)


def _predicted(time: float | None) -> str:
    if time is None:
        return "-"
    return f"{time:.5g}" if np.isfinite(time) else "never"


def _finite(time: float | None) -> float | None:
    return None if time is None or not np.isfinite(time) else time
