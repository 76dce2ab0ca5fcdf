"""Files with the student's weights along a run, and the teacher's, for torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from linear_grokking.arrays import to_numpy
from linear_grokking.data import teacher_student
from linear_grokking.jobs.records import record_steps
from linear_grokking.runs import canonical

PATTERN = "checkpoint_epoch_*.pt"

MAX_CHECKPOINTS = 10_000


def checkpoint_steps(t_max: float, number: int | None, every: int | None) -> np.ndarray:
    """Return the steps (float64) of checkpoints; none where neither number nor pace is given.

    Parameters
    ----------
    t_max
        The last step, always among them.
    number
        So many steps, log-spaced, besides step 0.
    every
        All multiples of this, 0 included.

    Raises
    ------
    ValueError
        Where there would be too many.
    """
    if number is None and every is None:
        return np.zeros(0)
    wanted = number if every is None else t_max // every + 2
    if wanted > MAX_CHECKPOINTS:
        raise ValueError(f"{wanted:.0f} checkpoints: at most {MAX_CHECKPOINTS} are allowed")
    if every is None:
        return record_steps(t_max, number)
    last = np.rint(t_max)
    return np.unique(np.append(np.arange(0.0, last, every), last))


class CheckpointWriter:
    """Writes checkpoints of one run into a folder.

    Plain tensors, lists of them, numbers and text only, so that
    ``torch.load(..., weights_only=True)`` reads the files.
    """

    def __init__(self, folder: Path, spec: Mapping[str, Any], steps: np.ndarray):
        self.written: list[str] = []
        self._folder = folder
        self._spec = spec
        self._steps = frozenset(steps.tolist())
        self._teacher: dict[str, Any] = {}
        if self._steps and spec["model"] != "logistic":
            self._teacher = {"teacher": _joined(_teacher(spec))}

    def look(self, step: float, params: tuple[Any, ...]) -> None:
        """Write a checkpoint if it is time to; see `jobs.context.Observer.look`."""
        if step not in self._steps:
            return
        import torch

        # Solvers differ in whether they carry an axis of realizations.
        arrays = [
            np.reshape(to_numpy(part), shape)
            for part, shape in zip(params, _shapes(self._spec), strict=True)
        ]
        content = {"epoch": int(step), "spec": canonical(self._spec), **self._teacher}
        if self._spec["model"] == "logistic":
            weights, bias = (torch.tensor(array) for array in arrays)
            content |= {"student": weights, "bias": bias}
        else:
            content["student"] = _joined(arrays)
        name = PATTERN.replace("*", f"{step:.0f}")
        torch.save(content, self._folder / name)
        self.written.append(name)


def _joined(arrays: list[np.ndarray]) -> Any:
    """Return one tensor for one layer, and a list of tensors for two."""
    import torch

    tensors = [torch.tensor(array) for array in arrays]
    return tensors if len(tensors) > 1 else tensors[0]


def _shapes(spec: Mapping[str, Any]) -> list[tuple[int, ...]]:
    """Return the shapes of a realization's parameters."""
    match spec["model"]:
        case "linear":
            return [(spec["d_in"], spec["d_out"])]
        case "two_layer":
            return [(spec["d_in"], spec["d_h"]), (spec["d_h"], spec["d_out"])]
    return [(spec["d"],), ()]


def _teacher(spec: Mapping[str, Any]) -> list[np.ndarray]:
    """Draw the teacher's layers again: their stream does not depend on the training set."""
    shapes = _shapes(spec)
    widths = (*(shape[0] for shape in shapes), spec["d_out"])
    data = teacher_student(seed=spec["seed"], realization=0, n_train=1, widths=widths)
    return list(data.teacher)
