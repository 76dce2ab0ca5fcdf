"""Rows of separability: S_inf with its certificate, margins."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import piqp
import torch
from threadpoolctl import threadpool_limits

from benchmarks import baselines
from benchmarks.limits import MatrixProduct
from benchmarks.rows import Row, alternate
from linear_grokking.data.draws import classification
from linear_grokking.data.laws import Gaussian
from linear_grokking.solvers.separability import Separability, assess, hard_margin
from linear_grokking.solvers.separability.limit_direction import limit_direction, newton
from linear_grokking.solvers.separability.verdict import checked_points

PAPER_D = (930, 990, 1050, 1086, 1110, 1134, 1152, 1158, 1164, 1170)
PAPER_D += (1173, 1176, 1179, 1182, 1185, 1188, 1191)
"""Values of d in E1 at the paper's size."""
ADAM_ERROR = 1e-3
"""Relative error of S at which Adam may stop; Newton's is 1e-8 or less, with a proof."""


def rows() -> Iterator[Row]:
    """Yield the rows of this group."""
    torch.set_num_threads(1)
    with threadpool_limits(1, user_api="blas"):
        yield from _limit_direction(400, rates=(0.01, 0.03, 0.1), most=60_000)
        yield _highs()
        yield from _limit_direction(2400, rates=(0.01, 0.1), most=4000)
        yield _start()
        yield _hessian()
        yield _verdict()
        yield from _margins()


def _drawn(n_train: int, d: int, realization: int) -> np.ndarray:
    return classification(
        Gaussian(1.0), seed=0, realization=realization, n_train=n_train, d=d
    ).inputs


def _points(n_train: int, lambda_: float, *, separable: bool) -> np.ndarray:
    """Return the first set that is (not) separable."""
    for realization in range(100):
        drawn = _drawn(n_train, round(lambda_ * n_train), realization)
        if assess(drawn, margin=False).separable == separable:
            return drawn
    raise RuntimeError(f"no set with separable={separable} among 100")


def _limit_direction(n_train: int, rates: tuple[float, ...], most: int) -> Iterator[Row]:
    points = _points(n_train, 0.48, separable=False)
    found: Separability = assess(points, margin=False)
    rounds = 3 if n_train <= 400 else 1
    for k, lr in enumerate(rates):
        steps = []
        timings = alternate(
            rounds,
            ours=partial(assess, points, margin=False),
            adam=lambda lr=lr, steps=steps: steps.append(
                baselines.adam_limit_direction(points, found.direction, lr, ADAM_ERROR, most)
            ),
        )
        converged = steps[-1] is not None
        yield Row(
            f"S_inf with certificate, N={n_train}, lambda=0.48",
            f"Adam, torch float64, lr {lr:g}, relative error {ADAM_ERROR:g}",
            timings.ratio("adam", "ours"),
            # The target is for N=400 and the first rate, 0.01.
            target=20 if n_train == 400 and k == 0 else None,
            ours=timings.spread("ours"),
            theirs=timings.spread("adam"),
            note=(f"{steps[-1]} steps" if converged else f"not there after {most} steps")
            + "; no certificate",
        )


def _highs() -> Row:
    points = _points(400, 0.48, separable=False)
    timings = alternate(
        3,
        ours=partial(assess, points, margin=False),
        highs=partial(baselines.highs_separates, points),
    )
    return Row(
        "separable or not, with S_inf and certificate, N=400, lambda=0.48",
        "HiGHS (verdict alone)",
        timings.ratio("highs", "ours"),
        target=10,
        ours=timings.spread("ours"),
        theirs=timings.spread("highs"),
    )


def _start() -> Row:
    sets = [checked_points(_drawn(2400, d, realization=0)) for d in PAPER_D]
    timings = alternate(
        3,
        ours=lambda: [limit_direction(*one) for one in sets],
        zero=lambda: [
            newton(points, norms, np.zeros(points.shape[1]), np.float32) for points, norms in sets
        ],
    )
    return Row(
        f"S_inf, N=2400, d={PAPER_D[0]} to {PAPER_D[-1]} as in E1",
        "the same Newton steps from zero",
        timings.ratio("zero", "ours"),
        target=2,
        ours=timings.spread("ours", 1 / len(sets)),
        theirs=timings.spread("zero", 1 / len(sets)),
        note="mean of one set for each d of E1; start by message passing",
    )


def _hessian() -> Row:
    points = _points(2400, 0.48, separable=False)
    n, d = points.shape
    product = MatrixProduct(np.float64, 1)
    iterations = assess(points, margin=False).iterations
    timings = alternate(5, ours=partial(assess, points, margin=False), product=product)
    flops = 2.0 * n * d**2 * iterations
    rate = product.flops / timings.spread("product").median
    return Row(
        f"S_inf, N=2400, lambda=0.48: all, Newton steps: {iterations}",
        "float64 matrix product on 2Nd^2 flops a step",
        timings.ratio("product", "ours", flops / product.flops),
        "of limit",
        target=0.60,
        ours=timings.spread("ours"),
        theirs=timings.spread("product", flops / product.flops),
        note=f"{rate / 1e9:.0f} GFlop/s on one core",
    )


def _piqp(points: np.ndarray) -> None:
    n, d = points.shape
    solver = piqp.DenseSolver()
    solver.settings.eps_abs = solver.settings.eps_rel = 1e-10
    solver.setup(np.eye(d), np.zeros(d), G=points, h_u=np.full(n, -1.0))
    solver.solve()


def _verdict() -> Row:
    points = _points(400, 0.55, separable=True)
    timings = alternate(7, ours=partial(assess, points, margin=True), piqp=partial(_piqp, points))
    return Row(
        "verdict, certificate and margin, N=400, lambda=0.55",
        "PIQP alone (time ours / time PIQP)",
        timings.ratio("ours", "piqp"),
        target=1.5,
        at_least=False,
        ours=timings.spread("ours"),
        theirs=timings.spread("piqp"),
    )


def _margins() -> Iterator[Row]:
    for n_train, rounds, target in ((800, 15, 1.5), (2400, 5, 3)):
        points = _points(n_train, 0.55, separable=True)
        timings = alternate(rounds, ours=partial(hard_margin, points), piqp=partial(_piqp, points))
        yield Row(
            f"margin, N={n_train}, lambda=0.55",
            "PIQP alone",
            timings.ratio("piqp", "ours"),
            target=target,
            ours=timings.spread("ours"),
            theirs=timings.spread("piqp"),
        )
