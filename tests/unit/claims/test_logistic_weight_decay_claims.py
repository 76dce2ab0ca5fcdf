"""Claims on weight decay in classification, on runs that are made up: right ones, and wrong."""

import numpy as np
import pytest
from drawn_runs import DrawnEvidence, DrawnRun

from linear_grokking.claims import logistic_weight_decay as claims
from linear_grokking.theory import logistic_weight_decay as theory
from linear_grokking.theory import quasi_static

SHARED = {"n_train": 400, "sigma": 5.0, "eta": 0.01, "loss": "cross_entropy", "t_max": 1e9}
SCATTER = np.exp(np.random.default_rng(3).normal(0.0, 0.03, 30))


def verdicts(made):
    return {claim.id: claim.verdict for claim in made}


def timed(lambda_, gamma, times, **more):
    parameters = {**SHARED, "lambda": lambda_, "gamma": gamma, **more}
    return DrawnRun(parameters, {"t_gen": times, "t_train": np.full(len(times), 100.0)})


def quasi(lambda_, gamma, factor=1.0, sigma=5.0):
    time = quasi_static.time_to_accuracy(lambda_, sigma, gamma, 0.01)
    return timed(lambda_, gamma, factor * time * SCATTER, sigma=sigma)


@pytest.mark.parametrize(("ratio", "expected"), [(100.0, "confirmed"), (3.0, "contradicted")])
def test_grokking_without_regularization(ratio, expected):
    times = np.where(np.arange(30) < 5, np.inf, 100.0 * ratio * SCATTER)
    evidence = DrawnEvidence("B18", dynamics=[timed(0.48, 0.0, times)])
    assert verdicts(claims.no_regularization(evidence)) == {"B18-no-regularization": expected}


@pytest.mark.parametrize("reached", [True, False])
def test_sets_that_reach_the_accuracy(reached):
    sometime, never = np.tile(SCATTER, 2), np.full(60, np.inf)
    with_decay, without = (sometime, never) if reached else (never, sometime)
    evidence = DrawnEvidence(
        "B18",
        times=[timed(0.6, gamma, with_decay) for gamma in (1e-3, 1e-5)],
        dynamics=[timed(0.6, 0.0, without)],
    )
    expected = "confirmed" if reached else "contradicted"
    made = list(claims.weights_reach(evidence))
    assert verdicts(made) == {
        "B18-weights-reach-lambda-0.6": expected,
        "B18-none-reach-lambda-0.6": expected,
    }
    # The 60 sets are the same at both γ.
    assert [claim.finding.measured.n for claim in made] == [60, 60]


def test_slopes_against_decay():
    gammas = (1e-3, 1e-6)
    evidence = DrawnEvidence("B18", times=[quasi(0.75, g) for g in gammas])
    name = "B18-time-slope-lambda-0.75"
    assert verdicts(claims.time_against_decay(evidence)) == {name: "confirmed"}
    # Times that do not depend on γ: wrong where ηγt is large, not promised where it is small.
    evidence = DrawnEvidence("B18", times=[timed(0.75, g, 1e6 * SCATTER) for g in gammas])
    assert verdicts(claims.time_against_decay(evidence)) == {name: "contradicted"}
    evidence = DrawnEvidence("B18", times=[timed(0.4, g, 1e4 * SCATTER) for g in gammas])
    made = verdicts(claims.time_against_decay(evidence))
    assert made == {"B18-time-slope-lambda-0.4": "outside its range"}
    # Sets that did not come there with one of the γ may have any slope.
    runs = [quasi(0.75, g) for g in gammas]
    runs[1].scalars.loc[:20, "t_gen"] = np.inf
    assert verdicts(claims.time_against_decay(DrawnEvidence("B18", times=runs))) == {
        name: "undecided"
    }


@pytest.mark.parametrize(
    ("factor", "late", "early"),
    [(1.1, "confirmed", "confirmed"), (2.0, "contradicted", "outside its range")],
)
def test_quasi_static_times(factor, late, early):
    evidence = DrawnEvidence(
        "B18",
        times=[quasi(x, g, factor) for x in (0.48, 0.6, 0.75) for g in (1e-3, 1e-6)],
        large_sigma=[quasi(0.75, 1e-4, factor, sigma=15.0)],
    )
    assert verdicts(claims.quasi_static_time(evidence)) == {
        "B18-quasi-static": late,
        "B18-quasi-static-large-sigma": late,
        "B18-quasi-static-early-lambda-0.6": early,
    }


def ended(lambda_, gamma, off=0.0):
    end = theory.minimum(lambda_, 5.0, gamma)
    accuracy = np.clip(end.accuracy + off + 0.01 * np.log(SCATTER), 0.0, 1.0)
    scalars = {
        "final_weight_norm": end.norm * (1 + 10 * off) * SCATTER,
        "final_gen_accuracy": accuracy,
        "t_gen": np.where(accuracy > 0.95, 1e4, np.inf),
    }
    return DrawnRun({**SHARED, "lambda": lambda_, "gamma": gamma}, scalars)


@pytest.mark.parametrize(("off", "expected"), [(0.0, "confirmed"), (-0.06, "contradicted")])
def test_minima(off, expected):
    runs = [ended(x, g, off) for x in (0.3, 0.4, 0.6) for g in (1e-1, 1e-3, 1e-5)]
    made = verdicts(claims.minimum_of_all(DrawnEvidence("B18", minima=runs)))
    assert len(made) == 4 and set(made.values()) == {expected}


def test_either_side_of_the_largest_decay():
    runs = [ended(x, g) for x in (0.3, 0.4, 0.6) for g in (1e-1, 1e-3, 1e-5)]
    names = ("B18-all-beyond", "B18-all-below")
    made = list(claims.decay_of_all(DrawnEvidence("B18", minima=runs)))
    assert verdicts(made) == dict.fromkeys(names, "confirmed")
    # 30 sets at each of three λ, whatever the number of γ.
    assert {claim.finding.measured.n for claim in made} <= {30, 60, 90}
    for run in runs:
        run.scalars["t_gen"] = np.where(np.isfinite(run.scalars["t_gen"]), np.inf, 1e4)
    made = verdicts(claims.decay_of_all(DrawnEvidence("B18", minima=runs)))
    assert made == dict.fromkeys(names, "contradicted")
