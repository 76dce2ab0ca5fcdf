"""What a job asks for, given what a realization costs: time, memory, number of realizations."""

import itertools
import math

from linear_grokking.jobs.costs import GPU_CALL_SECONDS, Cost
from linear_grokking.runtime.memory import BATCH_BYTES, round_size

START_SECONDS = 1.0
"""Time to start and end a job: interpreter, imports, writing the file."""
GPU_START_SECONDS = 10.0
"""The same if torch is imported and a GPU started."""
PROCESS_MB = 200
"""Memory of a job's process before it holds any data."""
SNAKEMAKE_MB = 350
"""Memory of Snakemake's own processes that accompany a job on a cluster."""
GPU_PROCESS_MB = 3000
"""Memory of a process that has started CUDA."""
CONTEXT_MB = 1000
"""GPU memory that CUDA and its libraries take."""
BATCHES_MB = int(2 * BATCH_BYTES / 1e6)
"""Host memory that batches for a GPU take."""
LARGE_BYTES = 2e8
"""Data of one realization above which a job gets all cores."""


def job_seconds(cost: Cost, realizations: int, *, gpu: bool) -> float:
    """Return the expected time of a job on one core, or on one core and a GPU."""
    start = GPU_START_SECONDS if gpu else START_SECONDS
    return start + _work_seconds(cost, realizations, gpu=gpu)


def _work_seconds(cost: Cost, realizations: int, *, gpu: bool) -> float:
    if not gpu:
        return realizations * cost.seconds
    batches = math.ceil(realizations / batch_size(cost))
    each = cost.host_seconds + cost.device_seconds
    return realizations * each + batches * cost.device_calls * GPU_CALL_SECONDS


def batch_size(cost: Cost) -> int:
    """Return how many realizations form a batch if the GPU has room for the host's largest batch.

    Like `memory.FittingBatches`, but without looking at the GPU.
    """
    return round_size(BATCH_BYTES / cost.data_bytes)


def job_minutes(seconds: float) -> int:
    """Return the time that a job asks for: at least three times what is expected."""
    return int(10 + 3 * seconds / 60)


def job_memory_mb(cost: Cost, *, gpu: bool) -> int:
    """Return the memory of a job: one realization at a time, or batches for a GPU."""
    data = 1.5 * cost.data_bytes / 1e6
    if gpu:
        return SNAKEMAKE_MB + GPU_PROCESS_MB + math.ceil(max(data, BATCHES_MB))
    return SNAKEMAKE_MB + PROCESS_MB + math.ceil(data)


def gpu_memory_mb(cost: Cost) -> int:
    """Return the least GPU memory that a job needs, for one realization; it uses more if it can."""
    return CONTEXT_MB + math.ceil(cost.device_bytes / 1e6)


def is_large(cost: Cost) -> bool:
    """Tell whether one realization alone keeps all cores busy."""
    return cost.data_bytes > LARGE_BYTES


def block_size(cost: Cost, minutes: float, *, gpu: bool) -> int:
    """Return how many realizations fill a job of so many minutes: 1, 2, 5, 10, 20, 50, …."""
    round_sizes = (factor * 10**power for power in itertools.count() for factor in (1, 2, 5))
    fitting = itertools.takewhile(
        lambda size: _work_seconds(cost, size, gpu=gpu) <= 60.0 * minutes, round_sizes
    )
    return max(fitting, default=1)
