"""Files with the student's weights along a run, and the teacher's, for torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from linear_grokking.data.draws import teacher_student
from linear_grokking.results.identity import canonical
from linear_grokking.runtime.arrays import to_numpy
from linear_grokking.solvers.trajectory import record_steps

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
    wanted = (number or 0) if every is None else t_max // every + 2
    if wanted > MAX_CHECKPOINTS:
        raise ValueError(f"{wanted:.0f} checkpoints: at most {MAX_CHECKPOINTS} are allowed")
    if every is not None:
        last = np.rint(t_max)
        return np.unique(np.append(np.arange(0.0, last, every), last))
    return np.zeros(0) if number is None else record_steps(t_max, number)


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
        """Write a checkpoint if it is time to; see `runtime.context.JobContext`."""
        if step not in self._steps:
            return
        import torch

        arrays = [to_numpy(part)[0] for part in params]
        content = {"epoch": int(step), "spec": canonical(self._spec), **self._teacher}
        if self._spec["model"] == "logistic":
            weights, bias = (torch.tensor(array) for array in arrays)
            content |= {"student": weights, "bias": bias}
        else:
            content["student"] = _joined(arrays)
        name = PATTERN.replace("*", f"{step:.0f}")
        torch.save(content, self._folder / name)
        self.written.append(name)


def _joined(arrays: Sequence[np.ndarray]) -> Any:
    """Return one tensor for one layer, and a list of tensors for two."""
    import torch

    tensors = [torch.tensor(array) for array in arrays]
    return tensors if len(tensors) > 1 else tensors[0]


def _teacher(spec: Mapping[str, Any]) -> Sequence[np.ndarray]:
    """Draw the teacher's layers again: their stream does not depend on the training set."""
    hidden = (spec["d_h"],) if spec["model"] == "two_layer" else ()
    widths = (spec["d_in"], *hidden, spec["d_out"])
    drawn = {"seed": spec["seed"], "realization": 0}
    return teacher_student(n_train=1, n_gen=1, widths=widths, **drawn).teacher
