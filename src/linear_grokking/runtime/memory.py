"""How much is worked on at a time, so that it fits into memory."""

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import torch

MOST_NUMBERS = 2**23
"""Most numbers in one array of residuals that a solver evaluates at once."""
MOST_PENDING = 2**19
"""Most numbers that records of a flow may keep waiting, to be measured together."""
BATCH_BYTES = 1e9
"""Most memory of a batch's inputs on the host, which may hold two of them."""
MEMORY_SHARE = 0.8
"""Part of a device's free memory that a batch may take."""

Items = TypeVar("Items", bound="_Sliceable")
Result = TypeVar("Result")


class _Sliceable(Protocol):
    """A list, an array, a tensor."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice, /) -> Any: ...


_log = logging.getLogger(__name__)


class FittingBatches:
    """Work on items in batches, halved for good where the device runs out of memory.

    Parameters
    ----------
    device
        Where the work is done.
    bytes_each
        Memory that one item needs; the free memory of a GPU bounds the first batch.
    largest
        Another bound on the items per batch, the only one without a GPU.
    """

    def __init__(self, device: "str | torch.device", bytes_each: float, largest: int):
        import torch

        self.device = torch.device(device)
        self.size = largest
        if self.device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self.device)
            self.size = max(1, min(largest, int(MEMORY_SHARE * free / bytes_each)))

    def run(self, items: Items, work: Callable[[Items], Result]) -> Iterator[tuple[Items, Result]]:
        """Yield consecutive parts of the items, each with what ``work`` makes of it.

        Raises
        ------
        torch.OutOfMemoryError
            If a single item does not fit.
        """
        import torch

        start = 0
        while start < len(items):
            part: Items = items[start : start + self.size]
            try:
                result = work(part)
            except torch.OutOfMemoryError:
                if len(part) == 1:
                    raise
            else:
                start += len(part)
                yield part, result
                continue
            # Outside the handler, so that the failed attempt's arrays are not kept alive.
            self.size = len(part) // 2
            _log.warning(
                "out of memory on %s with %d realizations: %d now",
                self.device,
                len(part),
                self.size,
            )
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
