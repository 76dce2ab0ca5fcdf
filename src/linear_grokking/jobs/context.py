"""What a job function is given besides its run: device, threads, where to save, who looks on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from linear_grokking.resume import Checkpoint, NoCheckpoint

Columns = Mapping[str, np.ndarray]
Results = Iterator[tuple[int, Columns]]
Look = Callable[[float, tuple[Any, ...]], None]


@dataclass(frozen=True)
class Observer:
    """Somebody who follows the parameters of a single realization.

    Attributes
    ----------
    look
        Called with step and parameters at each recorded step, in order.
    steps : (n,)
        Whole steps that are recorded for the observer, besides those of the run.
    """

    look: Look
    steps: np.ndarray = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class JobContext:
    """Surroundings of a job; none of them changes a result.

    Attributes
    ----------
    device
        ``"cpu"`` or ``"cuda"``.
    threads
        Threads that the job may use.
    checkpoint
        Makes the checkpoint of the solver that works on a realization, or a batch of them.
    observer
        Follows the run; it adds rows at its own steps to the history.
    """

    device: str = "cpu"
    threads: int = 1
    checkpoint: Callable[[int | Sequence[int]], Checkpoint] = field(
        default=lambda realizations: NoCheckpoint()
    )
    observer: Observer | None = None

    def steps(self, recorded: np.ndarray) -> np.ndarray:
        """Return the recorded steps of a run, with those of the observer."""
        return recorded if self.observer is None else np.union1d(recorded, self.observer.steps)

    @property
    def on_record(self) -> Look | None:
        """What a solver calls at each record."""
        return None if self.observer is None else self.observer.look
