"""Rows of the logistic dynamics: stabilized flow against literal steps, and its gradients."""

from collections.abc import Iterator

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks import baselines
from benchmarks.limits import ReadBandwidth
from benchmarks.rows import Row, Spread, alternate
from linear_grokking.data.deferred import deferred_classification
from linear_grokking.data.draws import classification
from linear_grokking.data.laws import Gaussian
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.models.losses import LOSSES
from linear_grokking.models.passes import Pass, make_pass
from linear_grokking.models.passes.deferred_pass import DeferredPass
from linear_grokking.runtime.devices import cores
from linear_grokking.solvers.log_flow.flow import gradient_flow
from linear_grokking.solvers.trajectory import record_steps

SIGMA, ETA, RECORDS, T_MAX = 5.0, 0.01, 200, 1e6
BANDWIDTH_BYTES = 2**28


def rows() -> Iterator[Row]:
    """Yield the rows of this group."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield from _small()
        yield from _medium()
        yield from _large_gradient()
        yield from _deferred()


def _set(n_train: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 inputs (N, d) and initial weights (d,) of one realization."""
    drawn = classification(
        Gaussian(SIGMA),
        seed=0,
        realization=0,
        n_train=n_train,
        d=d,
        s0_norm=0.1,
        dtype=np.float32,
    )
    return drawn.inputs, drawn.weights


def _flow(inputs: np.ndarray, weights: np.ndarray) -> int:
    """Follow one realization as a job does; return the gradients spent."""
    return _follow(inputs[np.newaxis], -np.ones((1, len(inputs)), np.float32), weights)


def _follow(inputs: np.ndarray | Pass, labels: np.ndarray, weights: np.ndarray) -> int:
    model = LogisticModel(inputs, labels, Gaussian(SIGMA), loss=LOSSES["cross_entropy"])
    params = (weights[np.newaxis].astype(np.float64), np.zeros(1))
    return (
        gradient_flow(model, params, eta=ETA, steps=record_steps(T_MAX, RECORDS))
        .require_completed()
        .gradients
    )


def _small() -> Iterator[Row]:
    inputs, weights = _set(400, 192)
    test = np.empty((1000, 192), np.float32)
    Gaussian(SIGMA).draw(np.random.default_rng(1), test)
    naive = baselines.NaiveLogistic(inputs, test, ETA)
    steps, runs = 2000, 10

    def ours() -> None:
        for _ in range(runs):  # one after another, as the realizations of a block
            _flow(inputs, weights)

    timings = alternate(7, ours=ours, naive=lambda: naive.steps(steps))
    work = "logistic N=400, d=192, to t=1e6, 200 records"
    yield Row(
        work,
        "nn.Linear, SGD, backward, step",
        timings.ratio("naive", "ours", runs * T_MAX / steps),
        target=1e4,
        ours=timings.spread("ours", 1 / runs),
        theirs=timings.spread("naive", T_MAX / steps),
        note=f"mean of {runs} runs; baseline extrapolated from {steps} steps, one thread",
    )
    gradients = float(_flow(inputs, weights))
    by_rk45 = baselines.rk45_gradients(inputs, ETA, T_MAX, rtol=1e-5)
    yield Row(
        work,
        "its gradients",
        Spread(gradients, gradients, gradients),
        "gradients",
        target=500,
        at_least=False,
        note=f"SciPy's RK45 in log time (rtol 1e-5): {by_rk45}",
    )


def _medium() -> Iterator[Row]:
    inputs, weights = _set(4000, 1920)
    tuned = baselines.TunedLogistic(inputs, ETA)
    steps = 100
    timings = alternate(3, ours=lambda: _flow(inputs, weights), tuned=lambda: tuned.steps(steps))
    work = "logistic N=4000, d=1920, to t=1e6"
    yield Row(
        work,
        "tuned NumPy GD in float32",
        timings.ratio("tuned", "ours", T_MAX / steps),
        target=2000,
        ours=timings.spread("ours"),
        theirs=timings.spread("tuned", T_MAX / steps),
        note=f"baseline extrapolated from {steps} steps, one thread",
    )
    yield _gradient_row(f"{work}: one gradient", inputs, threads=1, rounds=40, target=0.60)


def _large_gradient() -> Iterator[Row]:
    inputs = _large_matrix(20000, 9600)
    yield _gradient_row(
        "logistic 20000x9600 (0.77 GB float32): one gradient, all cores",
        inputs,
        threads=cores(),
        rounds=15,
        target=0.75,
    )


def _large_matrix(n_train: int, d: int) -> np.ndarray:
    inputs = np.empty((n_train, d), np.float32)
    rng = np.random.default_rng(0)
    for start in range(0, n_train, 1000):
        inputs[start : start + 1000] = rng.standard_normal((1000, d), dtype=np.float32)
    return inputs


def _deferred() -> Iterator[Row]:
    """Compare a run on deferred inputs with as many gradients of a matrix."""
    n_train, d = 40000, 19200

    def ours() -> int:
        drawn = deferred_classification(
            Gaussian(SIGMA), seed=0, realization=0, n_train=n_train, d=d, s0_norm=0.1
        )
        return _follow(DeferredPass([drawn.inputs]), drawn.labels[np.newaxis], drawn.weights)

    inputs = _large_matrix(n_train, d)
    sweep = make_pass(inputs[np.newaxis])
    vector, factors = np.full((1, d), 0.01), np.ones((1, n_train))

    def matrix() -> None:
        sweep(vector, np.zeros(1), LOSSES["cross_entropy"], factors)

    gradients = ours()
    timings = alternate(3, ours=ours, matrix=matrix)
    yield Row(
        "logistic N=40000, d=19200, to t=1e6, inputs deferred, one thread",
        f"as many gradients of a matrix ({inputs.nbytes / 1e9:.1f} GB float32)",
        timings.ratio("matrix", "ours", gradients),
        ours=timings.spread("ours"),
        theirs=timings.spread("matrix", gradients),
        note=f"{gradients} gradients, of the matrix extrapolated from one, without its drawing",
    )


def _gradient_row(
    work: str, inputs: np.ndarray, *, threads: int, rounds: int, target: float
) -> Row:
    """Compare one pass (both products and the weights) with a sum that reads as much."""
    large = inputs if inputs.nbytes > BANDWIDTH_BYTES else np.ones(BANDWIDTH_BYTES // 4, "f4")
    read = ReadBandwidth(large, threads)
    sweep = make_pass(inputs[np.newaxis], threads)
    vector, factors = np.full((1, inputs.shape[1]), 0.01), np.ones((1, len(inputs)))

    def gradient() -> None:
        sweep(vector, np.zeros(1), LOSSES["cross_entropy"], factors)

    timings = alternate(rounds, ours=gradient, read=read)
    factor = inputs.nbytes / large.nbytes
    bandwidth = large.nbytes / 1e9 / timings.spread("read").median
    return Row(
        work,
        f"read bandwidth by a sum, {threads} thread{'s' * (threads > 1)}",
        timings.ratio("read", "ours", factor),
        "of limit",
        target=target,
        ours=timings.spread("ours"),
        theirs=timings.spread("read", factor),
        note=f"{bandwidth:.1f} GB/s; X is read once for both products",
    )
