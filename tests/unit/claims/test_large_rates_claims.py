"""Claims on large learning rates, on runs that are made up: right ones, and wrong."""

import numpy as np
import pytest
from drawn_runs import DrawnEvidence, DrawnRun

from linear_grokking.claims import large_rates as claims
from linear_grokking.claims.measuring import mean_of
from linear_grokking.claims.verdict import Undecidable

N = 20
SCATTER = np.exp(np.random.default_rng(4).normal(0.0, 0.02, N))
TIMES = 40.0 * np.exp(np.random.default_rng(5).normal(0.0, 0.5, N))
"""ηt of each set with the flow."""
STEPS = np.array([0.0, 10, 20, 1000, 2000, 3000, 4000])
SHARED = {"n_train": 200, "sigma": 5.0, "lambda": 0.4, "loss": "cross_entropy", "b0": 0.0,
          "t_max": 4000.0}  # fmt: skip


def critical(sigma=5.0, curvature=0.25):
    return 2 / (curvature * sigma**2 * (1 + np.sqrt(0.4)) ** 2)


def run(ratio, scaled=TIMES, sigma=5.0, **scalars):
    eta = ratio * critical(sigma)
    times = np.asarray(scaled) / eta
    return DrawnRun({**SHARED, "sigma": sigma, "eta": eta}, {"t_gen": times, **scalars})


def flow(sigma=5.0):
    return DrawnRun({**SHARED, "sigma": sigma, "eta": 1e-4, "t_max": 1e9}, {"t_gen": TIMES / 1e-4})


def verdicts(made):
    return [claim.verdict for claim in made]


@pytest.mark.parametrize(
    ("factor", "sigma", "expected"),
    [
        (1.0, 5.0, "confirmed"),
        (1.3, 5.0, "contradicted"),
        (0.7, 5.0, "contradicted"),
        (1.3, 2.0, "outside its range"),
    ],
)
def test_times_at_moderate_rates(factor, sigma, expected):
    evidence = DrawnEvidence(
        "B20",
        rates=[],
        small_sigma=[run(2.5, factor * SCATTER * TIMES, sigma), run(8.0, 0 * TIMES)],
        large_sigma=[],
        flow=[],
        flow_sigma=[flow(5.0), flow(sigma)],
    )
    assert verdicts(claims.flat(evidence)) == [expected]


@pytest.mark.parametrize(("best", "expected"), [(4.0, "confirmed"), (8.5, "contradicted")])
def test_the_best_rate(best, expected):
    ratios = (1.0, 2.5, 4.0, 8.5)
    steps = [TIMES * (1.0 if ratio == best else 3.0) for ratio in ratios]
    runs = [run(ratio, each * ratio) for ratio, each in zip(ratios, steps, strict=True)]
    assert verdicts(claims.optimum(DrawnEvidence("B20", rates=runs))) == [expected]


@pytest.mark.parametrize("right", [True, False])
def test_times_and_fits_at_large_rates(right):
    never = np.full(N, np.inf)
    fitted = np.full(N, 1.0 if right else 0.99)
    rates = [
        run(8.3, (6.0 if right else 1.5) * TIMES),
        run(100.0, never if right else TIMES, final_train_accuracy=fitted),
    ]
    evidence = DrawnEvidence("B20", rates=rates, flow=[flow()])
    assert verdicts(claims.late(evidence)) == ["confirmed" if right else "contradicted"] * 3


def stopping(ratio, free, final):
    """Return a run without an error from step 20 on."""
    train = np.tile([0.5, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0], (N, 1))
    gen = np.tile([0.5, 0.6, free, final, final, final, final], (N, 1)) * SCATTER[:, np.newaxis]
    parameters = {**SHARED, "eta": ratio * critical()}
    scalars = {"final_gen_accuracy": gen[:, -1]}
    return DrawnRun(parameters, scalars, STEPS, train_accuracy=train, gen_accuracy=gen)


@pytest.mark.parametrize(
    ("small", "large", "final", "expected"),
    [
        (0.75, 0.85, 0.85, ["confirmed"] * 3),
        (0.85, 0.80, 0.86, ["contradicted"] * 3),
    ],
)
def test_the_perceptron(small, large, final, expected):
    rates = [stopping(1.0, small, 1.0), stopping(100.0, large, large)]
    evidence = DrawnEvidence("B20", rates=rates, perceptron=[stopping(1e13, 0.85, final)])
    assert verdicts(claims.perceptron(evidence)) == expected


def test_sets_that_are_never_fit_say_nothing_of_the_perceptron():
    never = stopping(1e13, 0.85, 0.85)
    never.found["train_accuracy"][:] = 0.9
    evidence = DrawnEvidence("B20", rates=[stopping(100.0, 0.8, 0.8)], perceptron=[never])
    with pytest.raises(Undecidable, match="no set is fitted without a training error"):
        list(claims.perceptron(evidence))


@pytest.mark.parametrize(
    ("products", "expected"),
    [
        ((1.0, 1.0), "confirmed"),
        ((1.2, 1.2), "contradicted"),
        # The statement is about each rate: their mean may be right.
        ((1.1, 1 / 1.1), "contradicted"),
    ],
)
def test_late_losses(products, expected):
    runs = [
        run(ratio, final_train_loss=product * SCATTER / (ratio * critical() * 4000.0))
        for ratio, product in zip((1.0, 4.0), products, strict=True)
    ]
    # Its loss is still on the way.
    runs.append(run(20.0, final_train_loss=np.full(N, 1e-9)))
    (claim,) = claims.late_loss(DrawnEvidence("B20", rates=runs))
    assert claim.verdict == expected
    measured = claim.finding.measured
    alone = [mean_of(np.log(product * SCATTER)) for product in products]
    ends = [min(each.low for each in alone), max(each.high for each in alone)]
    assert measured.n == N
    assert np.log([measured.low, measured.high]) == pytest.approx(ends)


def exponential(b0, factor=1.0, records=None):
    """Return runs whose ηe^b₀ is one, and whose observables are off by a factor."""
    b = -np.log(1.0 + STEPS[:records]) * SCATTER[:, np.newaxis]
    eta = 0.5 * critical(curvature=1.0) * np.exp(-b0)
    curves = {
        "weight_norm": (1.0 + b**2) * factor,
        "bias": b + b0 + factor - 1,
        "train_loss": np.exp(b + b0) * factor,
    }
    parameters = {**SHARED, "loss": "exponential", "b0": b0, "eta": eta}
    return DrawnRun(parameters, {"realization": range(N)}, STEPS[:records], **curves)


@pytest.mark.parametrize(("error", "expected"), [(1e-7, "confirmed"), (1e-3, "contradicted")])
def test_rate_and_bias(error, expected):
    shifted = [exponential(-5.0, 1.0 + error)]
    evidence = DrawnEvidence("B20", exponential=[exponential(0.0)], shifted=shifted)
    assert verdicts(claims.rate_and_bias(evidence)) == [expected]


def test_runs_with_other_records_are_not_compared():
    shifted = [exponential(-5.0, records=-1)]
    evidence = DrawnEvidence("B20", exponential=[exponential(0.0)], shifted=shifted)
    with pytest.raises(Undecidable, match="different records or sets"):
        list(claims.rate_and_bias(evidence))


def test_a_share_that_seems_to_fall_does_not_hide_where_half_overflow():
    ratios, shares = (0.5, 0.7, 0.9, 1.1, 1.3), (0.0, 0.3, 0.2, 0.6, 0.5)
    runs = []
    for ratio, share in zip(ratios, shares, strict=True):
        eta = ratio * critical(curvature=1.0) * np.exp(20.0)
        norm = np.where(np.arange(N) < share * N, 1e7, 0.5)
        runs.append(DrawnRun({**SHARED, "eta": eta, "b0": -20.0}, {"final_weight_norm": norm}))
    evidence = DrawnEvidence("B20", overflow=runs, overflow_small_sigma=[], overflow_large_sigma=[])
    (claim,) = claims.overflow(evidence)
    # From 0.3 at 0.9 to 0.6 at 1.1.
    assert claim.finding.measured.value == pytest.approx(0.9 + 0.2 * 2 / 3, rel=1e-6)


@pytest.mark.parametrize(
    ("ratios", "sigma", "expected"),
    [
        ((0.8, 1.2, 1.5), 5.0, "confirmed"),
        ((1.8, 2.2, 2.6), 2.0, "outside its range"),
        ((0.1, 0.2, 1.0), 5.0, "undecided"),
    ],
)
def test_where_the_exponential_loss_overflows(ratios, sigma, expected):
    shares = (0, N // 2, N)
    runs = []
    for ratio, share in zip(ratios, shares, strict=True):
        eta = ratio * critical(sigma, 1.0) * np.exp(20.0)
        norm = np.where(np.arange(N) < share, 1e7, 0.5)
        parameters = {**SHARED, "sigma": sigma, "eta": eta, "b0": -20.0}
        runs.append(DrawnRun(parameters, {"final_weight_norm": norm}))
    evidence = DrawnEvidence("B20", overflow=runs, overflow_small_sigma=[], overflow_large_sigma=[])
    (claim,) = claims.overflow(evidence)
    assert claim.verdict == expected
    measured = claim.finding.measured
    assert measured.value == pytest.approx(ratios[1], rel=1e-6)
    assert (measured.low, measured.high) == pytest.approx((ratios[0], ratios[2]), rel=1e-6)


@pytest.mark.parametrize("right", [True, False])
def test_cycles(right):
    settled = np.tile([0.5, 0.7, 0.8, 0.85, 0.85, 0.85, 0.85], (N, 1))
    going_on = settled + np.array([0, 0, 0, 0, 0.03, -0.03, 0.0])
    runs = []
    for ratio, accuracy in (
        (0.5, settled if right else going_on),
        (8.0, going_on if right else settled),
    ):
        parameters = {**SHARED, "sigma": 1.0, "eta": ratio * critical(1.0)}
        scalars = {"realization": range(N)}
        runs.append(DrawnRun(parameters, scalars, STEPS, train_accuracy=accuracy))
    # Between the two nothing is said.
    runs.append(DrawnRun({**SHARED, "sigma": 1.0, "eta": 3.0 * critical(1.0)}, scalars, STEPS,
                         train_accuracy=settled))  # fmt: skip
    evidence = DrawnEvidence("B20", without_bias=runs)
    assert verdicts(claims.cycles(evidence)) == ["confirmed" if right else "contradicted"] * 2
