"""How much is computed at a time, so that it fits into memory."""

import itertools
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

MOST_NUMBERS = 2**23
"""Most numbers in one array of residuals that a solver evaluates at once."""
MOST_PENDING = 2**19
"""Most numbers in those records of a flow that wait to be measured together."""
BATCH_BYTES = 1e9
"""Most memory of a batch's inputs on the host, which may hold two of them."""
MEMORY_SHARE = 0.8
"""Part of a device's free memory that a batch may take."""

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


class FittingBatches:
    """Process realizations in batches, which stay smaller once the device ran out of memory.

    The size is always one of 1, 5, 10, 50, 100, …, and batches are cut at its multiples, whatever
    the first realization.  Each of these sizes divides the next one, and the larger blocks of a
    plan.  A realization is therefore batched with the same others however a run is cut into jobs,
    and after a resume.

    Parameters
    ----------
    device
        Where the work is done.
    bytes_each
        Memory that one realization needs; the free memory of a GPU bounds the batches.
    largest
        Another bound on the realizations per batch, the only one without a GPU.

    Attributes
    ----------
    size
        Largest number of realizations in a batch.
    """

    def __init__(self, device: "str | torch.device", bytes_each: float, largest: float):
        import torch

        self.device = torch.device(device)
        if self.device.type == "cuda":
            largest = min(largest, MEMORY_SHARE * _free_bytes(self.device) / bytes_each)
        self.size = round_size(largest)

    def cut(self, realizations: Sequence[int]) -> list[Sequence[int]]:
        """Cut increasing realizations into batches."""
        grouped = itertools.groupby(realizations, lambda realization: realization // self.size)
        return [list(batch) for _, batch in grouped]

    def run(
        self,
        realizations: Sequence[int],
        work: Callable[[Sequence[int]], Iterable[tuple[int, Result]]],
    ) -> Iterator[tuple[int, Result]]:
        """Yield each realization with what ``work`` finds for it.

        ``work`` is given a batch, and yields its realizations in any order, as they are done.

        Raises
        ------
        torch.OutOfMemoryError
            If a single realization does not fit.
        """
        import torch

        done = set()
        left = list(realizations)
        while left:
            batch = self.cut(left)[0]
            try:
                for realization, result in work(batch):
                    if realization not in done:  # by an attempt that failed later
                        done.add(realization)
                        yield realization, result
            except torch.OutOfMemoryError:
                if len(batch) == 1:
                    raise
            else:
                left = left[len(batch) :]
                continue
            # Outside the handler, so that the failed attempt's arrays are not kept alive.
            self.size = round_size(len(batch) / 2)
            _log.warning(
                "out of memory on %s with %d realizations: %d now",
                self.device,
                len(batch),
                self.size,
            )
            if self.device.type == "cuda":
                torch.cuda.empty_cache()


def round_size(largest: float) -> int:
    """Return the largest of 1, 5, 10, 50, … realizations that is within a bound, or 1."""
    decade = 10 ** int(math.log10(max(1.0, largest)))
    return 5 * decade if largest >= 5 * decade else decade


def _free_bytes(device: "torch.device") -> int:
    """Return the bytes that tensors may still take on a GPU, those in torch's cache included."""
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
