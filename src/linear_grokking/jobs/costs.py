"""Cost model: time and memory of a realization and of a job, from the problem's size.

The constants were fitted to CPU seconds and memory of jobs on a 2-core machine, which they
match within a factor of 2 (`benchmarks/workflow.py` measures anew).  They set block sizes
and the requests to a cluster, never a number in a result.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from linear_grokking.models.losses import LOSSES
from linear_grokking.runtime.memory import BATCH_BYTES

CPU_GFLOPS = 50.0
"""Float64 matrix products of one core; twice that in float32."""
CPU_BANDWIDTH = 1.6e10
"""Bytes per second that one core reads from memory."""
GPU_SPEEDUP = 40.0
"""One GPU over one core, on work that is large enough; a guess, for none was measured."""
DRAW_SECONDS = 1.2e-8
"""Drawing one Gaussian number."""
START_SECONDS = 1.0
"""Start of a job: interpreter, imports, writing the file."""
PROCESS_MB = 200
"""A job's process before it holds any data."""
SNAKEMAKE_MB = 350
"""Snakemake's own processes that ride with a job on a cluster."""
GPU_PROCESS_MB = 3000
"""A process that has started CUDA."""
CONTEXT_MB = 1000
"""What CUDA and its libraries take on a GPU."""
BATCHES_MB = int(2 * BATCH_BYTES / 1e6)
"""What batches for a GPU take on the host."""
LARGE_BYTES = 2e8
"""Data of one realization above which a job is worth all cores."""

Spec = Mapping[str, Any]


@dataclass(frozen=True)
class Cost:
    """What one realization costs.

    Attributes
    ----------
    seconds
        On one CPU core.
    data_bytes
        Memory on the host while it runs.
    device_bytes
        Memory on a GPU, where it is computed there.
    """

    seconds: float
    data_bytes: float
    device_bytes: float = 0.0


def separability(spec: Spec) -> Cost:
    """Return the cost of Newton's method, and of the margin where it is asked for."""
    n, d = spec["n_train"], spec["d"]
    # A handful of Newton steps of Nd² flops each, most in float32; a margin, where it
    # exists, costs some twenty times the flops of one.
    seconds = 2.5e-3 + (35.0 if spec["margin"] else 5.0) * n * d**2 * 1e-9 / CPU_GFLOPS
    # On a GPU: points, their weighted copy and half a batch being compacted; B, its factor,
    # work space.
    return Cost(
        seconds + DRAW_SECONDS * n * d,
        8.0 * (2 * n * d + 2 * d**2),
        8.0 * (2.5 * n * d + 4.0 * d * d + 40.0 * n),
    )


def logistic_flow(spec: Spec) -> Cost:
    """Return the cost of the logistic flow."""
    return _logistic(spec, gradients=500.0)


def logistic_steps(spec: Spec) -> Cost:
    """Return the cost of literal steps of the logistic model, whole arrays at a time."""
    return _logistic(spec, gradients=500.0 + spec["t_max"])


def logistic_descent(spec: Spec) -> Cost:
    """Return the cost of literal gradient descent, in compiled loops where they know the loss."""
    if LOSSES[spec["loss"]].number is None:
        return logistic_steps(spec)
    return _logistic(spec, gradients=500.0 + spec["t_max"], call=2e-6)


def _logistic(spec: Spec, gradients: float, call: float = 3e-5) -> Cost:
    n, d = spec["n_train"], spec["d"]
    size = 8 if spec["dtype"] == "float64" else 4
    seconds_per_gradient = call + size * n * d / CPU_BANDWIDTH
    # On a GPU: the inputs, and outputs at some records; a copy while it is made.
    return Cost(
        gradients * seconds_per_gradient + DRAW_SECONDS * n * d,
        size * n * d + 16e6,
        2.0 * size * n * (d + 64),
    )


def linear_spectral(spec: Spec) -> Cost:
    """Return the cost of the eigenbasis and the records."""
    d_in, d_out = spec["d_in"], spec["d_out"]
    # In float32, hence half.
    passes = 1.0 * (spec["n_train"] + spec["n_gen"]) * d_in * (d_in + d_out * spec["records"])
    return _linear(spec, passes)


def linear_steps(spec: Spec) -> Cost:
    """Return the cost of literal steps of the linear model."""
    return _linear(spec, 4.0 * spec["d_in"] ** 2 * spec["d_out"] * spec["t_max"])


def _linear(spec: Spec, passes: float) -> Cost:
    d_in, d_out, n, n_gen = (spec[key] for key in ("d_in", "d_out", "n_train", "n_gen"))
    solve = 2 * n * d_in**2 + 10 * d_in**3
    seconds = (solve + passes) * 1e-9 / CPU_GFLOPS + DRAW_SECONDS * (n + n_gen) * d_in
    data = 8.0 * (1.5 * (n + n_gen) * d_in + 4 * d_in**2 + 8 * d_in * d_out)
    return Cost(seconds, data, data)


def two_layer_flow(spec: Spec) -> Cost:
    """Return the cost of the two-layer flow."""
    # The length of a step is bounded by the largest curvature, of order 2η/d_out.
    return _two_layer(spec, 100.0 + 2.25 * spec["t_max"] * spec["eta"] / spec["d_out"])


def two_layer_steps(spec: Spec) -> Cost:
    """Return the cost of literal steps of the two-layer model."""
    return _two_layer(spec, spec["t_max"])


def _two_layer(spec: Spec, gradients: float) -> Cost:
    d_in, d_h, d_out, n, n_gen = (spec[key] for key in ("d_in", "d_h", "d_out", "n_train", "n_gen"))
    if spec["activation"] == "identity":
        flops = 2.0 * d_in**2 * d_out + 8.0 * d_in * d_h * d_out
        measure = 1.0 * (n + n_gen) * d_in * d_out
    else:
        flops = 2.0 * n * d_in * d_h  # 4 in float32
        measure = 1.0 * (n + n_gen) * d_in * d_h
    # The integrator reads and writes the weights some twenty times per gradient.
    weights = 2.0 * 20.0 * 8.0 * d_in * d_h / CPU_BANDWIDTH
    seconds = gradients * (flops * 1e-9 / CPU_GFLOPS + weights)
    seconds += spec["records"] * measure * 1e-9 / CPU_GFLOPS + DRAW_SECONDS * (n + n_gen) * d_in
    data = 8.0 * (1.5 * (n + n_gen) * d_in + 2 * d_in**2 + 16 * d_in * d_h + n * d_h)
    return Cost(seconds, data, data)


def two_point(spec: Spec) -> Cost:
    """Return the cost of the exact orbit."""
    return Cost(0.1, 1e6)


def job_seconds(cost: Cost, realizations: int, *, gpu: bool) -> float:
    """Return the expected wall time of a job of so many realizations, on one core or GPU."""
    return START_SECONDS + realizations * cost.seconds / (GPU_SPEEDUP if gpu else 1.0)


def job_memory_mb(cost: Cost, *, gpu: bool) -> int:
    """Return the memory of a job: one realization at a time, or batches for a GPU."""
    data = 1.5 * cost.data_bytes / 1e6
    if gpu:
        return SNAKEMAKE_MB + GPU_PROCESS_MB + math.ceil(max(data, BATCHES_MB))
    return SNAKEMAKE_MB + PROCESS_MB + math.ceil(data)


def gpu_memory_mb(cost: Cost) -> int:
    """Return the least memory of a GPU that a job needs: one realization's; more is used."""
    return CONTEXT_MB + math.ceil(cost.device_bytes / 1e6)


def is_large(cost: Cost) -> bool:
    """Tell whether one realization alone keeps all cores busy."""
    return cost.data_bytes > LARGE_BYTES


def block_size(cost: Cost, minutes: float, *, gpu: bool) -> int:
    """Return how many realizations fill a job of so many minutes: 1, 2, 5, 10, 20, 50, …."""
    exact = max(60.0 * minutes * (GPU_SPEEDUP if gpu else 1.0) / cost.seconds, 1.0)
    decade = 10.0 ** math.floor(math.log10(exact))
    return max(int(factor * decade) for factor in (1, 2, 5) if factor * decade <= exact)
