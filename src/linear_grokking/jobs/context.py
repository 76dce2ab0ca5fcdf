"""What a job function is given besides its run: device, threads, and where to save states."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from linear_grokking.resume import Checkpoint, NoCheckpoint

Columns = Mapping[str, np.ndarray]
Results = Iterator[tuple[int, Columns]]


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
    """

    device: str = "cpu"
    threads: int = 1
    checkpoint: Callable[[int | Sequence[int]], Checkpoint] = field(
        default=lambda realizations: NoCheckpoint()
    )
