"""What a job is given besides its run: device, memory, checkpoints, a callback for records."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from linear_grokking.runtime.checkpoints import Checkpoint, NoCheckpoint
from linear_grokking.runtime.memory import BATCH_BYTES, FittingBatches, Result
from linear_grokking.shapes import Columns

Results = Iterator[tuple[int, Columns]]
"""What a job yields: each realization, with the columns of its rows."""
OnRecord = Callable[[float, tuple[Any, ...]], None]
"""Called with step and parameters at each record, in order; must not keep or change them."""


@dataclass(frozen=True)
class JobContext:
    """The environment of a job; it changes no result by more than the solvers' tolerance.

    Attributes
    ----------
    device
        As torch names it; on ``"cpu"`` arrays are NumPy's.
    threads
        Threads that the job may use.
    host_bytes, device_bytes
        Memory of one realization's data on the host, and of its work on a GPU.
    checkpoint
        Makes the checkpoint of the solver that works on a batch of realizations.
    on_record
        Called with step and parameters at each recorded step, in order, to follow a single
        realization.
    more_steps : (n,)
        Whole steps to record besides those of the run, as additional rows.
    """

    device: str = "cpu"
    threads: int = 1
    host_bytes: float = 1e6
    device_bytes: float = 1e6
    checkpoint: Callable[[Sequence[int]], Checkpoint] = field(
        default=lambda realizations: NoCheckpoint()
    )
    on_record: OnRecord | None = None
    more_steps: np.ndarray | None = None

    def steps(self, recorded: np.ndarray) -> np.ndarray:
        """Return the recorded steps of a run together with `more_steps`."""
        return recorded if self.more_steps is None else np.union1d(recorded, self.more_steps)

    def batches(self) -> FittingBatches:
        """Return what cuts realizations into batches that fit on the device."""
        return FittingBatches(self.device, self.device_bytes, BATCH_BYTES / self.host_bytes)

    def each(
        self,
        realizations: Sequence[int],
        work: Callable[[Sequence[int]], Iterable[tuple[int, Result]]],
    ) -> Iterator[tuple[int, Result]]:
        """Yield each realization with what ``work``, which is given batches, finds for it.

        On a CPU they come one at a time, which keeps their data in the cache.
        """
        if self.device == "cpu":
            return (found for realization in realizations for found in work([realization]))
        return self.batches().run(realizations, work)
