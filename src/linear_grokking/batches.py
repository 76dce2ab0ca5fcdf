"""Batches that fit into a device's memory."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

MEMORY_SHARE = 0.8  # of the device's free memory

Items = TypeVar("Items", bound=Sequence)
Result = TypeVar("Result")

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

    def __init__(self, device: str | torch.device, bytes_each: float, largest: int):
        self._device = torch.device(device)
        self.size = largest
        if self._device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self._device)
            self.size = max(1, min(largest, int(MEMORY_SHARE * free / bytes_each)))

    def run(self, items: Items, work: Callable[[Items], Result]) -> Iterator[tuple[Items, Result]]:
        """Yield consecutive parts of the items, each with what ``work`` makes of it.

        Raises
        ------
        torch.OutOfMemoryError
            If a single item does not fit.
        """
        start = 0
        while start < len(items):
            part = items[start : start + self.size]
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
                self._device,
                len(part),
                self.size,
            )
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
