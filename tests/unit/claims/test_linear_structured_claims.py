"""Claims of Fig. A10 on runs that follow the structured theory, and on runs that do not."""

import numpy as np
import pytest
from drawn_runs import DrawnEvidence, DrawnRun

from linear_grokking.claims import linear_structured as claims
from linear_grokking.claims.verdict import Undecidable
from linear_grokking.figures.a10 import problem_of
from linear_grokking.figures.tables import TableBuilder
from linear_grokking.theory import structured_inputs, structured_laws, structured_times

STEPS = np.concatenate([[0.0], np.geomspace(1.0, 1e8, 161)])
PARAMETERS = {"eta": 0.01, "d_in": 1000, "d_out": 1, "epsilon": 1e-3, "alpha": 1.0}
PARAMETERS |= {"gamma": 0.0, "noise": 0.0}
SCATTER = 1 + 1e-3 * np.random.default_rng(1).normal(size=(8, 1))


def run(p, lambda_, *, like=None, numbers=None, **changes):
    """A run at p whose losses are those of the exponent ``like``."""
    parameters = {**PARAMETERS, "spectral_exponent": p, "lambda": lambda_, **changes}
    problem = problem_of({**parameters, "spectral_exponent": p if like is None else like})
    losses = {
        "train_loss": structured_inputs.train_loss(STEPS, problem) * SCATTER,
        # Draws whose two losses scatter alike would have no scatter in their ratio.
        "gen_loss": structured_inputs.gen_loss(STEPS, problem) * SCATTER[::-1],
    }
    scalars = {name: each * SCATTER[:, 0] for name, each in (numbers or {}).items()}
    return DrawnRun(parameters, scalars or None, STEPS, **losses)


def verdicts(maker, table=None, **runs):
    return {each.id: each.verdict for each in maker(DrawnEvidence("A10", table=table, **runs))}


def with_times(p, lambda_, like):
    problem = problem_of({**PARAMETERS, "spectral_exponent": like, "lambda": lambda_})
    numbers = {
        "t_train": float(structured_times.train_time(problem, 1e-3)),
        "t_gen": float(structured_times.gen_time(problem, 1e-3)),
    }
    return run(p, lambda_, numbers=numbers)


@pytest.mark.parametrize(("like", "expected"), [(1.5, "confirmed"), (0.2, "contradicted")])
def test_times_see_another_law(like, expected):
    runs = [with_times(1.5, lambda_, like) for lambda_ in (0.5, 0.9)]
    found = verdicts(claims.times, times=runs)
    assert found["A10-generalization-time-p-1.5"] == expected
    assert set(found) == {"A10-generalization-time-p-1.5", "A10-training-time-p-1.5"}


@pytest.mark.parametrize(("like", "expected"), [(1.5, "confirmed"), (1.0, "contradicted")])
def test_late_laws_see_another_exponent(like, expected):
    found = verdicts(claims.late_laws, times=[run(1.5, 0.5, like=like), run(1.5, 0.9)])
    assert found.pop("A10-late-exponent-p-1.5") == expected
    # The ratio (1-λ)² is that of every power law; the formulas are not measured.
    assert set(found.values()) == {"confirmed"} and len(found) == 2


def test_late_laws_need_long_runs():
    with pytest.raises(Undecidable, match="the runs end"):
        verdicts(claims.late_laws, times=[run(6.0, 0.5)])


@pytest.mark.parametrize(("like", "expected"), [(1.5, "confirmed"), (0.2, "contradicted")])
def test_time_ratios_see_another_exponent(like, expected):
    found = verdicts(claims.time_ratios, times=[run(1.5, 0.5, like=like)])
    assert found == {
        "A10-time-ratio-p-1.5-epsilon-0.001": expected,
        "A10-time-ratio-p-1.5-epsilon-0.0001": expected,
    }


@pytest.mark.parametrize("p", [0.5, 3.0])
@pytest.mark.parametrize("other", [False, True])
def test_critical_exponents_see_another_law(p, other):
    found = verdicts(claims.critical, critical=[run(p, 1.0, like=3.5 - p if other else p)])
    assert found == {
        f"A10-critical-exponent-p-{p:g}": "contradicted" if other else "confirmed",
        f"A10-crossover-p-{p:g}": "confirmed",
    }


def test_a_loss_that_departs_beyond_all_times_is_undecided():
    with pytest.raises(Undecidable, match="at p = 6 the loss departs"):
        verdicts(claims.critical, critical=[run(6.0, 1.0)])


def test_the_harmonic_mean_alone_gives_the_edge():
    assert verdicts(claims.harmonic_mean) == {
        "A10-lower-edge-harmonic": "confirmed",
        "A10-lower-edge-isotropic": "outside its range",
    }


def test_the_papers_delay_is_isotropic():
    builder = TableBuilder()
    for p in (0.0, 1.5):
        shown = {"spectral_exponent": p}
        builder.add("time_ratio", "train", "experiment", [1e-3, 1e-5], 0.1, shown)
    runs = [run(p, 0.9) for p in (0.0, 1.5)]
    assert verdicts(claims.paper_delay, builder.frame(), dynamics=runs) == {
        "A10-paper-delay-p-0": "confirmed",
        "A10-paper-delay-p-1.5": "outside its range",
    }
    with pytest.raises(Undecidable, match="no ε"):
        verdicts(claims.paper_delay, builder.frame(), dynamics=[run(3.0, 0.9)])


@pytest.mark.parametrize(("factor", "expected"), [(1.0, "confirmed"), (1.5, "contradicted")])
def test_forgetting_sees_another_rate(factor, expected):
    runs = []
    for gamma in (1e-4, 1e-3):
        at = {"spectral_exponent": 6, "lambda": 2.0, "gamma": gamma, "alpha": 10.0}
        level = structured_inputs.gen_loss_floor(problem_of({**PARAMETERS, **at})) * 2.4
        epsilon = level / 0.26030
        time = structured_laws.forgetting_time(level, problem_of({**PARAMETERS, **at}))
        numbers = {"t_gen": factor * float(time), "t_train": 700.0}
        runs.append(run(6, 2.0, gamma=gamma, alpha=10.0, epsilon=epsilon, numbers=numbers))
    assert verdicts(claims.forgetting, forgetting=runs) == {
        "A10-forgetting-alpha-10": expected,
        "A10-forgetting-delay-alpha-10": "confirmed",
        "A10-forgetting-formula": "confirmed",
    }
