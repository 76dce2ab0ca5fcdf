"""Checkpoints for torch, with the student's weights along a run and the teacher's weights."""

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
    """Return the steps (float64) of checkpoints; none if neither ``number`` nor ``every`` is given.

    Parameters
    ----------
    t_max
        The last step, which is always among them.
    number
        Number of log-spaced steps, besides step 0.
    every
        Take all multiples of this number of steps, including 0.

    Raises
    ------
    ValueError
        If there would be too many.
    """
    wanted = (number or 0) if every is None else t_max // every + 2
    if wanted > MAX_CHECKPOINTS:
        given = f"--checkpoints {number}" if every is None else f"--checkpoint_every {every}"
        raise ValueError(
            f"{given}: {wanted:.0f} checkpoints; at most {MAX_CHECKPOINTS} are allowed"
        )
    if every is not None:
        last = np.rint(t_max)
        return np.unique(np.append(np.arange(0.0, last, every), last))
    return np.zeros(0) if number is None else record_steps(t_max, number)


class CheckpointWriter:
    """Writes checkpoints of one run into a folder.

    They contain only plain tensors, lists of tensors, numbers and text, so that
    ``torch.load(..., weights_only=True)`` can read them.
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
        """Write a checkpoint if one is due at this step; see `runtime.context.JobContext`."""
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
    """Return one tensor for one layer, or a list of tensors for two."""
    import torch

    tensors = [torch.tensor(array) for array in arrays]
    return tensors if len(tensors) > 1 else tensors[0]


def _teacher(spec: Mapping[str, Any]) -> Sequence[np.ndarray]:
    """Draw the teacher's layers again; their random stream does not depend on the training set."""
    hidden = (spec["d_h"],) if spec["model"] == "two_layer" else ()
    widths = (spec["d_in"], *hidden, spec["d_out"])
    drawn = {"seed": spec["seed"], "realization": 0}
    return teacher_student(n_train=1, n_gen=1, widths=widths, **drawn).teacher
