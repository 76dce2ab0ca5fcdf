"""What a job is given besides its run: device, memory, where to save, who looks on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from linear_grokking.runtime.checkpoints import Checkpoint, NoCheckpoint
from linear_grokking.runtime.memory import BATCH_BYTES, FittingBatches

Columns = Mapping[str, np.ndarray]
Results = Iterator[tuple[int, Columns]]
"""What a job yields: each realization, with the columns of its rows."""
Look = Callable[[float, tuple[Any, ...]], None]
Result = TypeVar("Result")


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
        As torch names it; on ``"cpu"`` NumPy is at home.
    threads
        Threads that the job may use.
    host_bytes, device_bytes
        Memory of one realization's data on the host, and of its work on a GPU.
    checkpoint
        Makes the checkpoint of the solver that works on a batch of realizations.
    observer
        Follows the run; it adds rows at its own steps to the history.
    """

    device: str = "cpu"
    threads: int = 1
    host_bytes: float = 1e6
    device_bytes: float = 1e6
    checkpoint: Callable[[Sequence[int]], Checkpoint] = field(
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

    def batches(self, realizations: Sequence[int]) -> FittingBatches:
        """Return what cuts realizations into batches that fit on the device."""
        largest = max(1, min(len(realizations), int(BATCH_BYTES // self.host_bytes)))
        return FittingBatches(self.device, self.device_bytes, largest)

    def each_batch(
        self, realizations: Sequence[int], work: Callable[[Sequence[int]], Result]
    ) -> Iterator[tuple[Sequence[int], Result]]:
        """Yield batches of realizations with what ``work`` makes of each.

        On a CPU they come one at a time, which keeps their data in the cache.
        """
        if self.device == "cpu":
            return ((batch, work(batch)) for batch in ([each] for each in realizations))
        return self.batches(realizations).run(realizations, work)
