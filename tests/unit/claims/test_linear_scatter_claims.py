"""Claims of A9 on draws that have the law, and on draws that do not."""

import numpy as np
import pytest
from drawn_runs import DrawnEvidence, DrawnRun

from linear_grokking.claims import linear_scatter
from linear_grokking.theory import hard_edge
from linear_grokking.theory.linear import Problem, loss_threshold
from linear_grokking.theory.linear_grokking_time import gen_time
from linear_grokking.theory.linear_scatter import gen_time_deviation

LOSS = float(loss_threshold(1e-3))


def parameters(**more):
    given = {"eta": 0.01, "epsilon": 1e-3, "d_in": 1000, "lambda_": 0.9, **more}
    return {key.removesuffix("_"): value for key, value in given.items()}


def verdicts(made):
    return {claim.id: claim.verdict for claim in made}


def normal(wider=1.0, earlier=1.0, **at):
    """Return a run whose times have the formula's normal law, or a wider or earlier one."""
    p = parameters(**at)
    problem = Problem(p["lambda"], 0.01)
    deviation = wider * gen_time_deviation(problem, p["d_in"], 1e-3)
    numbers = np.random.default_rng(1).standard_normal(2000)
    return DrawnRun(p, {"t_gen": earlier * gen_time(problem, 1e-3) + deviation * numbers})


@pytest.mark.parametrize(
    ("wider", "earlier", "deviation", "median"),
    [
        (1.0, 1.0, "confirmed", "confirmed"),
        (1.3, 1.0, "contradicted", "confirmed"),
        (1.0, 0.8, "confirmed", "contradicted"),
    ],
)
def test_scatter_is_the_formulas_or_is_not(wider, earlier, deviation, median):
    few = normal(earlier=0.8, d_in=45)
    evidence = DrawnEvidence("A9", law=[normal(wider, earlier)], scatter=[few])
    assert verdicts(linear_scatter.scatter(evidence)) == {
        "A9-deviation-lambda-0.9-d_in-1000": deviation,
        "A9-deviation-many-modes": deviation,
        "A9-median-many-modes": median,
        "A9-median-few-modes-lambda-0.9-d_in-45": "outside its range",
    }


def matrices(shift):
    """Return a run with data whose losses decay to the threshold at exponential times."""
    steps = np.concatenate([[0.0], np.geomspace(1.0, 1e6, 300)])
    times = shift * np.random.default_rng(2).exponential(2e3, 300)
    loss = np.exp(np.log(LOSS) * steps / times[:, np.newaxis])
    return DrawnRun(parameters(), steps=steps, gen_loss=loss)


@pytest.mark.parametrize(("shift", "expected"), [(1.0, "confirmed"), (1.5, "contradicted")])
def test_one_law_is_told_from_another(shift, expected):
    drawn = DrawnRun(parameters(), {"t_gen": np.random.default_rng(3).exponential(2e3, 1000)})
    evidence = DrawnEvidence(
        "A9", matrices=[matrices(shift)], scatter=[drawn], matrices_of_a1=[], law=[]
    )
    assert verdicts(linear_scatter.same_law(evidence)) == {"A9-same-law-matrices": expected}


def slowest(excess, power=1.0, draws=20_000, d=50):
    """Return a run of the slowest mode's law for N - d = 0 or 1, its ν to some power."""
    rng = np.random.default_rng(4)
    e = rng.exponential(size=draws)
    # Inverses of 1 - e^{-s/2-√s} and 1 - e^{-s/2}.
    s = (np.sqrt(1 + 2 * e) - 1) ** 2 if excess == 0 else 2 * e
    n = d + excess
    nu = s**power / (n * d)
    late = np.maximum(np.log(rng.standard_normal(draws) ** 2 / (d * LOSS)), 1e-9)
    columns = {"t_gen": late / (4 * 0.01 * nu), "smallest_eigenvalue": nu}
    return DrawnRun(parameters(d_in=d, n_train=n, lambda_=d / n), columns)


@pytest.mark.parametrize("excess", [0, 1])
def test_tails_have_their_exponents_and_prefactors(excess):
    found = verdicts(linear_scatter.tails(DrawnEvidence("A9", hard_edge=[slowest(excess)])))
    assert set(found.values()) == {"confirmed"}
    assert ("A9-no-mean" in found) == (excess == 0)
    assert len(found) == 4 - excess


def test_other_tails_are_seen():
    evidence = DrawnEvidence("A9", hard_edge=[slowest(0, power=0.4)])
    found = verdicts(linear_scatter.tails(evidence))
    assert found["A9-tail-exponent-excess-0"] == "contradicted"
    assert found["A9-no-mean"] == "contradicted"
    assert found["A9-tail-share-excess-0"] == "contradicted"


def critical(epsilon, power):
    """Return runs at λ = 1 with the law's median at d = 25, and d^power from there."""
    runs = []
    loss = loss_threshold(epsilon)
    for d in (25, 50, 100):
        median = hard_edge.gen_time_quantile(0.5, loss, 25, 25, 0.01) * (d / 25) ** power
        times = median * np.exp(2.0 * np.random.default_rng(d).standard_normal(4000))
        runs.append(DrawnRun(parameters(epsilon=epsilon, d_in=d, lambda_=1.0), {"t_gen": times}))
    return runs


@pytest.mark.parametrize(("power", "expected"), [(1.93, "confirmed"), (1.0, "outside its range")])
def test_growth_of_the_median(power, expected):
    runs = [*critical(1e-9, power), *critical(1e-3, 1.0)]
    found = verdicts(linear_scatter.critical(DrawnEvidence("A9", critical=runs)))
    assert found["A9-median-growth-epsilon-1e-09"] == expected
    assert found["A9-median-growth-epsilon-0.001"] == "outside its range"
    agrees = "confirmed" if power > 1.5 else "contradicted"
    assert found["A9-median-slowest-mode"] == agrees
    assert found["A9-quartiles"] == "confirmed"
