"""Claims of B22 on synthetic runs: they see what is there, and what is not."""

import numpy as np
import pytest
from drawn_runs import DrawnEvidence, DrawnRun

from linear_grokking.claims import universality
from linear_grokking.theory import elliptical, large_size, wendel

SIZES = {"n_train": 400, "sigma": 1.0}
SCATTER = np.linspace(0.97, 1.03, 40)
RADII = {"law": "elliptical", "radius_ratio": 6.0, "far_share": 0.2}


def verdicts(claims):
    return {claim.id: claim.verdict for claim in claims}


def sets(law, lambda_, norm, **more):
    scalars = {"separable": np.full(40, False), "s_inf_norm": norm * SCATTER}
    return DrawnRun({**SIZES, "law": law, "lambda": lambda_, **more}, scalars)


@pytest.mark.parametrize(("shift", "expected"), [(0, "confirmed"), (3, "contradicted")])
def test_fractions(shift, expected):
    runs = []
    for law in ("rademacher", "tanh_features"):
        for d in (45, 50, 55):
            share = float(wendel.separable_probability(100, d + shift))
            verdict = np.arange(800) < round(800 * share)
            runs.append(
                DrawnRun({"n_train": 100, "law": law, "lambda": d / 100}, {"separable": verdict})
            )
    made = verdicts(universality.fractions(DrawnEvidence("B22", fractions=runs)))
    assert made == {"B22-wendel-rademacher": expected, "B22-wendel-tanh_features": expected}


@pytest.mark.parametrize(("hits", "time"), [(800, 3.0), (700, 300.0)])
def test_one_sided_features(hits, time):
    law = {"law": "relu_features"}
    run = DrawnRun(law, {"separable": np.arange(800) < hits})
    learns = DrawnRun(law, {"t_gen": np.full(6, time)})
    evidence = DrawnEvidence("B22", fractions=[run], dynamics=[learns])
    expected = "confirmed" if hits == 800 else "contradicted"
    assert verdicts(universality.one_sided(evidence)) == {
        "B22-relu-separable": expected,
        "B22-relu-at-once": expected,
    }


@pytest.mark.parametrize(
    ("off", "uniform", "student"),
    [(1.0, "confirmed", "confirmed"), (1.2, "contradicted", "outside its range")],
)
def test_norms_of_entries(off, uniform, student):
    runs = [
        sets(law, lambda_, off * float(large_size.limit_norm(lambda_)), degrees_of_freedom=3.0)
        for law in ("uniform", "student_t")
        for lambda_ in (0.2, 0.4)
    ]
    # Near one half the fraction that is separable decides, not the curve.
    runs.append(sets("uniform", 0.48, 99.0))
    made = verdicts(universality.universal(DrawnEvidence("B22", entries=runs)))
    assert made == {"B22-norm-uniform": uniform, "B22-norm-student_t": student}


@pytest.mark.parametrize("own", [True, False])
def test_norms_of_random_radii(own):
    runs = []
    for lambda_ in (0.2, 0.4):
        norm = elliptical.limit_norm(lambda_, 6.0, 0.2) if own else large_size.limit_norm(lambda_)
        runs.append(sets(lambda_=lambda_, norm=float(norm), **RADII))
    made = list(universality.radius(DrawnEvidence("B22", elliptical=runs)))
    names = {True: "confirmed", False: "contradicted"}
    assert verdicts(made) == {
        "B22-radius-ratio-6": names[own],
        "B22-one-radius-ratio-6": names[not own],
    }
    assert {claim.disagreement for claim in made} == {None, "rejected conjecture"}


@pytest.mark.parametrize(("factor", "like", "late"), [(1, 0, 1), (100, 1, 0)])
def test_times(factor, like, late):
    settled = np.exp(large_size.log_time_to_accuracy(0.4, 0.01, 0.95))
    sizes = {**SIZES, "lambda": 0.4, "eta": 0.01}
    runs = [
        DrawnRun({**sizes, "law": law, **more}, {"t_gen": settled * factor * SCATTER})
        for law, more in (("rademacher", {}), ("elliptical", RADII), ("relu_features", {}))
    ]
    found = ("confirmed", "contradicted")
    made = verdicts(universality.times(DrawnEvidence("B22", dynamics=runs)))
    assert made == {"B22-time-rademacher": found[like], "B22-time-elliptical": found[late]}
