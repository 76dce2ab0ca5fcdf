"""Cost model: time and memory of a realization, from the problem's size.

The constants of a core were fitted to CPU seconds and memory of jobs on 2-core machines, which
they match within a factor of 2 (`benchmarks/workflow.py` measures this again).  No GPU was
measured; its constants are about half of an A100's data sheet.  The model sets what jobs ask for
(`jobs.resources`), never a number in a result.
"""

import math
from dataclasses import dataclass, replace

from linear_grokking.models.losses import LOSSES
from linear_grokking.results.identity import Spec

CPU_GFLOPS = 50.0
"""GFlop/s of float64 products of large matrices on one core; twice that in float32."""
CPU_NARROW_GFLOPS = 32.0
"""The same where one of the matrices is narrow."""
CPU_BANDWIDTH = 1.6e10
"""Bytes per second that one core reads from memory."""
CACHE_BANDWIDTH = 3e10
"""Bytes per second that one core reads from its cache."""
CACHE_BYTES = 2e7
"""Arrays up to this size stay in the cache."""
CPU_CALL_SECONDS = 2e-6
"""Least time of an operation on an array, however small."""
GPU_GFLOPS = 4e3
"""GFlop/s of float64 products of matrices on a GPU."""
GPU_BANDWIDTH = 7.5e11
"""Bytes per second that a GPU reads from its memory."""
GPU_CALL_SECONDS = 1e-5
"""Least time of an operation on a GPU, however small."""
DRAW_SECONDS = 7e-9
"""Time to draw one Gaussian number."""
RECORD_SECONDS = 1e-4
"""Time for outputs and expectations of the logistic model at one record of literal steps."""


@dataclass(frozen=True)
class Cost:
    """What one realization costs.

    Attributes
    ----------
    host_seconds
        Seconds on one core of the work that is always done on the host.
    core_seconds
        Seconds on one core of the work that a GPU does where there is one.
    device_seconds
        Seconds of that work on a GPU.
    device_calls
        Successive operations on a GPU, which the realizations of a batch share.
    data_bytes
        Host memory while it runs.
    device_bytes
        GPU memory, if it is computed there.
    """

    host_seconds: float
    data_bytes: float
    core_seconds: float = 0.0
    device_seconds: float = 0.0
    device_calls: float = 0.0
    device_bytes: float = 0.0

    @property
    def seconds(self) -> float:
        """Seconds on one core of all the work."""
        return self.host_seconds + self.core_seconds


def separability(spec: Spec) -> Cost:
    """Return the cost of Newton's method, and of the margin if it is asked for."""
    n, d = spec["n_train"], spec["d"]
    flops = n * d**2 * 1e-9
    # More than four standard deviations below Wendel's transition no set has a margin.  Margins
    # are found on the host: a few factors of the support vectors' Gram matrix, and products with
    # vectors.
    may_be_separable = d > n / 2 - 2.0 * math.sqrt(n)
    critical = 2.5 * math.exp(-2.0 * (d - n / 2) ** 2 / n)
    has_margin = spec["margin"] and may_be_separable
    margin = 1e-3 + 5e-8 * n * d + 5.0 * flops / CPU_GFLOPS if has_margin else 0.0
    if may_be_separable and spec.get("box_margin", False):
        margin += 50.0 * flops / CPU_GFLOPS
    # On a GPU: points, their weighted copy and half a batch being compacted; B, its factor,
    # work space.
    return Cost(
        host_seconds=DRAW_SECONDS * n * d + margin,
        # A Newton step of Nd² flops, which many separable sets do not need, and what precedes it:
        # some hundred products with vectors or, in small sets, steps in float32.  Within the width
        # of Wendel's transition products do not lead near the end, and more steps are needed.
        core_seconds=1e-3 + 2e-8 * n * d + (0.5 + critical) * flops / CPU_GFLOPS,
        # Twice the flops in float64, and as many steps as the slowest set of a batch needs.
        device_seconds=16.0 * flops / GPU_GFLOPS,
        device_calls=3e3,
        # The points, and beside them B and its factor, or for a margin units and their Gram matrix,
        # both in float32.
        data_bytes=8.0 * n * d + max(16.0 * d**2, 4.0 * n * (d + n) if has_margin else 0.0),
        device_bytes=8.0 * (2.5 * n * d + 4.0 * d * d + 40.0 * n),
    )


def logistic_flow(spec: Spec) -> Cost:
    """Return the cost of the logistic flow, which measures many records at a time."""
    return _logistic(spec, gradients=_flow_gradients(spec), calls=_calls(spec, 7), records=0.1)


def _flow_gradients(spec: Spec) -> float:
    gradients = 550.0
    if spec.get("decay") == "weights":
        # The stiffness of the decay grows like t, the number of gradients like its square root.
        gradients += 14.0 * math.sqrt(spec["eta"] * spec["gamma"] * spec["t_max"])
    elif spec.get("gamma"):
        gradients += 700.0  # to the minimum
    return gradients


def deferred_flow(spec: Spec) -> Cost:
    """Return the cost of the logistic flow on deferred inputs, without a matrix."""
    # The number of gradients that bring a new direction grows with the stiffness.
    return _deferred(spec, _flow_gradients(spec), most=80.0 + 35.0 * spec["sigma"])


def deferred_descent(spec: Spec) -> Cost:
    """Return the cost of literal gradient descent on deferred inputs, without a matrix."""
    return _deferred(spec, spec["t_max"], most=80.0)


def logistic_steps(spec: Spec) -> Cost:
    """Return the cost of literal steps, in compiled loops if these support the loss."""
    return _logistic(spec, gradients=spec["t_max"], calls=_calls(spec, 0.5))


def _calls(spec: Spec, compiled: float) -> float:
    """Return how many calls a gradient takes: fewer if compiled loops support the loss."""
    return 15 if LOSSES[spec["loss"]].number is None else compiled


def _logistic(spec: Spec, gradients: float, calls: float, records: float = 1.0) -> Cost:
    n, d = spec["n_train"], spec["d"]
    size = 8 if spec["dtype"] == "float64" else 4
    drawn = n * d + spec["n_gen"] * d
    return Cost(
        host_seconds=DRAW_SECONDS * drawn + RECORD_SECONDS * records * spec["records"],
        core_seconds=gradients * (calls * CPU_CALL_SECONDS + _reading(size * n * d)),
        # The data are read twice: for the outputs, and for the gradient.
        device_seconds=gradients * 2 * size * n * d / GPU_BANDWIDTH,
        device_calls=25.0 * gradients,
        data_bytes=size * drawn + 16e6,
        # The inputs, outputs at some records, and a copy while it is made.
        device_bytes=2.0 * size * (drawn + 64 * n),
    )


def _deferred(spec: Spec, gradients: float, most: float) -> Cost:
    """Return the cost of gradients, at most ``most`` of which bring a new direction."""
    n = spec["n_train"]
    directions = min(float(spec["d"]), gradients, most)
    basis = 8.0 * n * directions
    # A gradient reads one basis twice and the other up to three times, at half size on average.
    reading = gradients * 4.0 * _reading(basis / 2.0)
    records = spec["records"] * (RECORD_SECONDS + 1e-9 * n * directions / CPU_GFLOPS)
    return Cost(
        host_seconds=DRAW_SECONDS * n * directions + reading + records,
        # The bases, the outputs of a curvature estimate, and some more.
        data_bytes=2.0 * basis + 8.0 * 40.0 * n + 16e6,
    )


def linear_spectral(spec: Spec) -> Cost:
    """Return the cost of the eigenbasis and the records."""
    d_in, d_out, n, n_gen = (spec[key] for key in ("d_in", "d_out", "n_train", "n_gen"))
    modes = min(n, d_in)
    solve = 2.0 * n * d_in * modes + 10.0 * modes**3
    # In float32, hence half.
    passes = 1.0 * (n + n_gen) * d_in * d_out * spec["records"]
    data = 8.0 * (1.5 * (n + n_gen) * d_in + 4 * d_in**2 + 8 * d_in * d_out)
    return _teacher_student(spec, data, (solve + passes) * 1e-9 / CPU_GFLOPS)


def linear_steps(spec: Spec) -> Cost:
    """Return the cost of literal steps of the linear model."""
    d_in, d_out, n = spec["d_in"], spec["d_out"], spec["n_train"]
    step = [(n, d_in, d_out)] * 2
    return _literal(spec, step, numbers=8.0 * d_in * d_out, width=d_out, calls=8.0)


def linear_adam_steps(spec: Spec) -> Cost:
    """Return the cost of literal steps of Adam on the linear model."""
    return _with_moments(linear_steps(spec), spec, 1.0 * spec["d_in"] * spec["d_out"], arrays=1)


def linear_batches(spec: Spec) -> Cost:
    """Return the cost of steps on mini-batches, in compiled loops on the host."""
    d_in, d_out, batch = (spec[key] for key in ("d_in", "d_out", "batch_size"))
    # Each output reads the rows from the cache once; drawing a batch costs less than a call.
    step: list[Product] = [(batch * d_out, d_in, 1)]
    cost = _literal(spec, step, numbers=8.0 * d_in * d_out, width=d_out, calls=0.5)
    return Cost(cost.seconds, cost.data_bytes)


def bidiagonal(spec: Spec) -> Cost:
    """Return the cost of the singular values, and of Newton's method for the two times."""
    modes = min(spec["n_train"], spec["d_in"])
    # The second term is LAPACK's dqds; the first is the cost of a realization of any size.
    seconds = 5e-5 + 1.4e-8 * modes**2 + 3e-7 * modes
    return Cost(seconds, 8.0 * (10.0 * modes + 4.0 * 2**16))


def two_layer_flow(spec: Spec) -> Cost:
    """Return the cost of the two-layer flow."""
    d_in, d_h, d_out, n, n_gen = (spec[key] for key in ("d_in", "d_h", "d_out", "n_train", "n_gen"))
    # The length of a step is bounded by the largest curvature, of order 2η/d_out.
    gradients = 100.0 + 2.25 * spec["t_max"] * spec["eta"] / d_out
    if spec["activation"] == "identity":
        flops = 2.0 * d_in**2 * d_out + 8.0 * d_in * d_h * d_out
        measure = 1.0 * (n + n_gen) * d_in * d_out
    else:
        flops = 2.0 * n * d_in * d_h  # 4 in float32
        measure = 1.0 * (n + n_gen) * d_in * d_h
    # The integrator reads and writes the weights some twenty times per gradient.
    weights = 2.0 * 20.0 * 8.0 * d_in * d_h / CPU_BANDWIDTH
    seconds = gradients * (flops * 1e-9 / CPU_GFLOPS + weights)
    seconds += spec["records"] * measure * 1e-9 / CPU_GFLOPS
    data = 8.0 * (1.5 * (n + n_gen) * d_in + 2 * d_in**2 + 16 * d_in * d_h + n * d_h)
    return _teacher_student(spec, data, seconds)


def two_layer_steps(spec: Spec) -> Cost:
    """Return the cost of literal steps of the two-layer model."""
    d_in, d_h, d_out, n = (spec[key] for key in ("d_in", "d_h", "d_out", "n_train"))
    if spec["activation"] == "identity":
        step = [(d_in, d_in, d_out)] + [(d_in, d_h, d_out)] * 3
        width, kept = d_out, d_in**2
    else:
        step = [(n, d_in, d_h)] * 2
        width, kept = d_h, 4 * n * d_h
    # The update rule reads and writes the weights, and their gradient.
    step += [(d_in, d_h, 1)] * 5
    return _literal(spec, step, numbers=kept + 8.0 * d_in * d_h, width=width, calls=25.0)


def two_layer_adam_steps(spec: Spec) -> Cost:
    """Return the cost of literal steps of Adam on the two-layer model."""
    weights = 1.0 * spec["d_h"] * (spec["d_in"] + spec["d_out"])
    return _with_moments(two_layer_steps(spec), spec, weights, arrays=2)


def _with_moments(cost: Cost, spec: Spec, weights: float, *, arrays: int) -> Cost:
    """Add the cost of Adam's moments of so many weights to that of literal steps.

    Parameters
    ----------
    arrays
        Number of arrays that hold the weights.
    """
    steps, calls = spec["t_max"], 15.0 * arrays + 10.0
    # Some twenty operations read and write the weights, their slopes and moments.
    touched = 20.0 * 8.0 * weights
    return replace(
        cost,
        core_seconds=cost.core_seconds + steps * (_reading(touched) + calls * CPU_CALL_SECONDS),
        device_seconds=cost.device_seconds + steps * touched / GPU_BANDWIDTH,
        device_calls=cost.device_calls + steps * calls,
        data_bytes=cost.data_bytes + 4.0 * 8.0 * weights,
        device_bytes=cost.device_bytes + 6.0 * 8.0 * weights,
    )


def two_point(spec: Spec) -> Cost:
    """Return the cost of the exact orbit."""
    return Cost(0.1, 1e6)


def modular_steps(spec: Spec) -> Cost:
    """Return the cost of literal steps of addition modulo p."""
    p, n, d_h = (spec[key] for key in ("p", "n_train", "d_h"))
    weights, calls = 3.0 * p * d_h, 25.0
    # Embeddings and readout, forward and backward; records look at all pairs.
    products = [(n, d_h, 2 * p)] * 2 + [(n, d_h, p)] * 3
    record = [(p * p, d_h, 2 * p), (p * p, d_h, p)]
    # Hidden units and outputs are read and written a few times, and so are weights and moments.
    touched = 8.0 * (6 * n * d_h + 4 * n * p + 15 * weights)
    data = 8.0 * (3 * p**3 + 4 * n * d_h + 2 * p * p * d_h + 5 * weights)
    steps, records = spec["t_max"], spec["records"]
    on_core = sum(map(_on_core, products)) + _reading(touched) + calls * CPU_CALL_SECONDS
    on_gpu = sum(map(_on_gpu, products)) + touched / GPU_BANDWIDTH
    return Cost(
        host_seconds=DRAW_SECONDS * weights,
        core_seconds=steps * on_core + records * sum(map(_on_core, record)),
        device_seconds=steps * on_gpu + records * sum(map(_on_gpu, record)),
        device_calls=calls * (steps + records),
        data_bytes=data,
        device_bytes=2.0 * data,
    )


Product = tuple[float, float, float]
"""Rows and columns of a float64 matrix, and columns of what it is multiplied with."""


def _literal(
    spec: Spec, step: list[Product], *, numbers: float, width: float, calls: float
) -> Cost:
    """Return the cost of literal steps with records that look at all samples.

    Parameters
    ----------
    step
        The products in a step.
    numbers
        Numbers kept besides the inputs.
    width
        Columns of the matrix that a record multiplies the samples with.
    calls
        Operations in a step, and in a record.
    """
    data = 8.0 * ((spec["n_train"] + spec["n_gen"]) * spec["d_in"] + numbers)
    record = (spec["n_train"] + spec["n_gen"], spec["d_in"], width)
    steps, records = spec["t_max"], spec["records"]
    on_core = steps * sum(map(_on_core, step)) + records * _on_core(record)
    on_gpu = steps * sum(map(_on_gpu, step)) + records * _on_gpu(record)
    return replace(
        _teacher_student(spec, data, 0.0),
        core_seconds=on_core + calls * CPU_CALL_SECONDS * steps,
        device_seconds=on_gpu,
        device_calls=calls * (steps + records),
        device_bytes=1.5 * data,
    )


def _teacher_student(spec: Spec, data_bytes: float, seconds: float) -> Cost:
    """Return the cost of work on the host, including drawing the data."""
    drawn = (spec["n_train"] + spec["n_gen"]) * spec["d_in"]
    return Cost(seconds + DRAW_SECONDS * drawn, data_bytes)


def _on_core(product: Product) -> float:
    rows, columns, width = product
    narrow = 2.0 * rows * columns * (width - 1) * 1e-9 / CPU_NARROW_GFLOPS
    return _reading(8.0 * rows * columns) + narrow


def _on_gpu(product: Product) -> float:
    rows, columns, width = product
    flops = 2.0 * rows * columns * (width - 1) * 1e-9 / GPU_GFLOPS
    return 8.0 * rows * columns / GPU_BANDWIDTH + flops


def _reading(size: float) -> float:
    """Return the seconds that one core takes to read so many bytes, repeatedly."""
    return size / (CACHE_BANDWIDTH if size <= CACHE_BYTES else CPU_BANDWIDTH)
