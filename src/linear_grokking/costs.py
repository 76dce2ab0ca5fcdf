"""Cost model: time, memory and threads of a job as functions of the problem's size.

The constants were fitted to CPU seconds and memory of jobs on a 2-core machine, which they
match within a factor of 2 (`benchmarks/workflow.py` measures anew).  They set block sizes
and the requests to a cluster, never a number in a result.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from linear_grokking.jobs.device import CPU_ONLY

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
BATCH_BYTES = 1e9
"""Most memory of a batch's inputs on the host, which may hold two of them."""
LARGE_BYTES = 2e8
"""Data of one realization above which a job is worth all cores."""


@dataclass(frozen=True)
class Cost:
    """What one realization costs: seconds on one core, and bytes while it runs."""

    seconds: float
    data_bytes: float


def realization_cost(spec: Mapping[str, Any]) -> Cost:
    """Return the cost of one realization of a run on one CPU core."""
    if spec["measure"] == "separability":
        return _separability(spec)
    return {
        "linear": _linear,
        "two_layer": _two_layer,
        "logistic": _logistic,
        "two_point": lambda _: Cost(0.1, 1e6),
    }[spec["model"]](spec)


def _separability(spec: Mapping[str, Any]) -> Cost:
    n, d = spec["n_train"], spec["d"]
    # A handful of Newton steps of Nd² flops each, most in float32; a margin, where it
    # exists, costs some twenty times the flops of one.
    seconds = 2.5e-3 + 5.0 * n * d**2 * 1e-9 / CPU_GFLOPS
    if spec["margin"]:
        seconds += 30.0 * n * d**2 * 1e-9 / CPU_GFLOPS
    return Cost(seconds + DRAW_SECONDS * n * d, 8.0 * (2 * n * d + 2 * d**2))


def _logistic(spec: Mapping[str, Any]) -> Cost:
    n, d = spec["n_train"], spec["d"]
    size = 8 if spec["dtype"] == "float64" else 4
    gradients = 500.0 + (0 if spec["solver"] == "gradient_flow" else spec["t_max"])
    seconds_per_gradient = 3e-5 + size * n * d / CPU_BANDWIDTH
    return Cost(gradients * seconds_per_gradient + DRAW_SECONDS * n * d, float(size * n * d + 16e6))


def _linear(spec: Mapping[str, Any]) -> Cost:
    d_in, d_out, n, n_gen = (spec[key] for key in ("d_in", "d_out", "n_train", "n_gen"))
    solve = 2 * n * d_in**2 + 10 * d_in**3
    if spec["solver"] == "spectral":
        # In float32, hence half.
        passes = 1.0 * (n + n_gen) * d_in * (d_in + d_out * spec["records"])
    else:
        passes = 4.0 * d_in * d_in * d_out * spec["t_max"]
    seconds = (solve + passes) * 1e-9 / CPU_GFLOPS + DRAW_SECONDS * (n + n_gen) * d_in
    return Cost(seconds, 8.0 * (1.5 * (n + n_gen) * d_in + 4 * d_in**2 + 8 * d_in * d_out))


def _two_layer(spec: Mapping[str, Any]) -> Cost:
    d_in, d_h, d_out, n, n_gen = (spec[key] for key in ("d_in", "d_h", "d_out", "n_train", "n_gen"))
    if spec["solver"] == "gradient_flow":
        # The length of a step is bounded by the largest curvature, of order 2η/d_out.
        gradients = 100.0 + 2.25 * spec["t_max"] * spec["eta"] / d_out
    else:
        gradients = spec["t_max"]
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
    return Cost(seconds, 8.0 * (1.5 * (n + n_gen) * d_in + 2 * d_in**2 + 16 * d_in * d_h + n * d_h))


def job_seconds(spec: Mapping[str, Any], realizations: int, device: str) -> float:
    """Return the expected wall time of a job of so many realizations, on one core or GPU."""
    return START_SECONDS + realizations * realization_cost(spec).seconds / _speed(spec, device)


def _speed(spec: Mapping[str, Any], device: str) -> float:
    """Return how many cores' work a device does on a run."""
    on_gpu = device == "cuda" and (spec["model"], spec["solver"]) not in CPU_ONLY
    return GPU_SPEEDUP if on_gpu else 1.0


def job_memory_mb(spec: Mapping[str, Any], device: str = "cpu") -> int:
    """Return the memory of a job: one realization at a time, or batches for a GPU."""
    data = 1.5 * realization_cost(spec).data_bytes
    if device == "cpu" or (spec["model"], spec["solver"]) in CPU_ONLY:
        return SNAKEMAKE_MB + PROCESS_MB + math.ceil(data / 1e6)
    return SNAKEMAKE_MB + GPU_PROCESS_MB + math.ceil(max(data, 2 * BATCH_BYTES) / 1e6)


def gpu_memory_mb(spec: Mapping[str, Any]) -> int:
    """Return the least memory of a GPU that a job needs: one realization's; more is used."""
    if (spec["model"], spec["solver"]) in CPU_ONLY:
        return 0
    return CONTEXT_MB + math.ceil(device_bytes(spec) / 1e6)


def device_bytes(spec: Mapping[str, Any]) -> float:
    """Return the memory that one realization takes on a GPU."""
    if spec["measure"] == "separability":
        return set_bytes(spec["n_train"], spec["d"])
    if spec["model"] == "logistic":
        # The inputs, and outputs at some records; a copy while it is made.
        size = 8 if spec["dtype"] == "float64" else 4
        return 2.0 * size * spec["n_train"] * (spec["d"] + 64)
    return realization_cost(spec).data_bytes


def set_bytes(n_train: int, d: int) -> float:
    """Return the memory that Newton steps on one set of a batch take on a GPU."""
    # Points, their weighted copy and half a batch being compacted; B, its factor, work space.
    return 8 * (2.5 * n_train * d + 4.0 * d * d + 40.0 * n_train)


def is_large(spec: Mapping[str, Any]) -> bool:
    """Tell whether one realization alone keeps all cores busy."""
    return realization_cost(spec).data_bytes > LARGE_BYTES


def block_size(spec: Mapping[str, Any], device: str, minutes: float) -> int:
    """Return how many realizations fill a job of so many minutes: 1, 2, 5, 10, 20, 50, …."""
    exact = 60.0 * minutes * _speed(spec, device) / realization_cost(spec).seconds
    decade = 10.0 ** math.floor(math.log10(max(exact, 1.0)))
    return max(int(factor * decade) for factor in (1, 2, 5) if factor * decade <= max(exact, 1.0))
