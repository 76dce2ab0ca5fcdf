"""Claims of B21 on synthetic runs: they see what is there, and what is not."""

import numpy as np
import pytest
from drawn_runs import DrawnEvidence, DrawnRun

from linear_grokking.claims import large_sets
from linear_grokking.claims.verdict import Undecidable
from linear_grokking.theory import large_size

FLOW = {"lambda": 0.4, "sigma": 5.0, "eta": 0.01, "t_max": 1e12}
NORMAL = np.random.default_rng(0).standard_normal(40)


def verdicts(claims):
    return {claim.id: claim.verdict for claim in claims}


def formula(lambda_):
    return float(np.exp(large_size.log_time_to_accuracy(lambda_, 0.01)))


def of_size(n_train, power=-0.5, off=1.0, draws=40):
    noise = NORMAL[:draws] - NORMAL[:draws].mean() if draws > 1 else np.zeros(1)
    times = off * formula(0.4) * np.exp(10.0 * n_train**power * noise)
    scalars = {"t_gen": times, "t_train": times / 40.0, "final_weight_norm": 1.0 + noise}
    return DrawnRun({**FLOW, "n_train": n_train}, scalars)


@pytest.mark.parametrize(("off", "expected"), [(1.0, "confirmed"), (20.0, "contradicted")])
def test_same_law(off, expected):
    evidence = DrawnEvidence("B21", direct=[of_size(4000)], deferred=[of_size(4000, off=off)])
    assert verdicts(large_sets.same_law(evidence)) == {"B21-same-law": expected}


@pytest.mark.parametrize(
    ("power", "off", "time", "scatter"),
    [
        (-0.5, 1.0, "confirmed", "confirmed"),
        (-0.5, 1.4, "contradicted", "confirmed"),
        (-0.1, 1.0, "undecided", "contradicted"),
    ],
)
def test_sizes(power, off, time, scatter):
    roles = {
        "small": [of_size(500, power, off), of_size(1000, power, off)],
        "direct": [of_size(4000, power, off)],
        "deferred": [of_size(4000, power, off)],
        "large": [of_size(40_000, power, off)],
        "largest": [of_size(100_000, power, off, draws=1)],
    }
    found = verdicts(large_sets.sizes(DrawnEvidence("B21", **roles)))
    assert found == {"B21-time": time, "B21-scatter": scatter}


def test_a_power_of_the_size_needs_two_sizes():
    one = [of_size(4000)]
    evidence = DrawnEvidence("B21", small=[], direct=one, deferred=one, large=[], largest=[])
    with pytest.raises(Undecidable, match="fewer than two N"):
        list(large_sets.sizes(evidence))


def at(sigma, lambda_, ratio):
    times = ratio * formula(lambda_) * (1.0 + 0.02 * NORMAL[:6])
    return DrawnRun({**FLOW, "lambda": lambda_, "sigma": sigma}, {"t_gen": times})


@pytest.mark.parametrize(
    ("late", "early", "expected"),
    [
        (1.0, 1e-3, ("confirmed", "confirmed")),
        (10.0, 1e-3, ("contradicted", "confirmed")),
        (1.0, 0.5, ("confirmed", "contradicted")),
    ],
)
def test_settled(late, early, expected):
    runs = [at(5.0, 0.4, late), at(1.0, 0.44, early)]
    runs.append(at(5.0, 0.3, late))
    made = list(large_sets.settled(DrawnEvidence("B21", times=runs)))
    assert verdicts(made) == dict(zip(("B21-settled", "B21-not-settled"), expected, strict=True))
    # Six draws, however many points.
    assert made[0].finding.measured.n == 6


@pytest.mark.parametrize(("other", "expected"), [(0.4, "confirmed"), (0.1, "contradicted")])
def test_one_curve(other, expected):
    """Two points of a larger σ at the same σ²p log(ηC_∞t), their log t at another share."""

    def share_of_log(share, sigma, lambda_):
        return at(sigma, lambda_, formula(lambda_) ** (share - 1.0))

    near = large_size.settling(0.44, 1.0)
    sigma = np.sqrt(1.01 * near / large_size.settling(0.3, 1.0))
    runs = [share_of_log(0.45, 1.0, 0.44), share_of_log(other, sigma, 0.3)]
    runs += [share_of_log(0.98, 5.0, 0.4), at(1.0, 0.49, np.inf)]
    (claim,) = large_sets.one_curve(DrawnEvidence("B21", times=runs))
    assert claim.verdict == expected
    largest = claim.finding.measured.high
    # The closest rising function goes halfway between the two.
    assert largest == pytest.approx((0.45 - other) / 2.0, abs=0.01)
    assert claim.finding.measured.n == 3


@pytest.mark.parametrize(("reached", "expected"), [(12, "confirmed"), (0, "contradicted")])
def test_at_one_half(reached, expected):
    times = np.where(np.arange(12) < reached, 1e5, np.inf)
    runs = [
        DrawnRun({**FLOW, "lambda": 0.5, "sigma": sigma, "n_train": 400}, {"t_gen": times})
        for sigma in (1.0, 2.5, 5.0)
    ]
    (claim,) = large_sets.at_one_half(DrawnEvidence("B21", times=runs))
    # The draws of both σ below the largest are the same.
    assert (claim.verdict, claim.finding.measured.n) == (expected, 12)
