"""Claims on separability, S_∞ and the margin: Paper B's Figs. 1, 6, 7, 15 and 17."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from linear_grokking.claims.measuring import (
    SIGNIFICANCE,
    furthest,
    joint_binomial_p,
    mean_of,
    median_of,
    slope_of,
)
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import (
    Claim,
    Disagreement,
    Measurement,
    Undecidable,
    ours,
    paper_b,
)
from linear_grokking.figures.separability_panels import CRITICAL
from linear_grokking.results.reading import RunResult, by_value
from linear_grokking.theory import large_size, margin, two_point, wendel

_WENDEL_ROLES = {"B6": ("statistics",), "B15": ("statistics",), "B17": ("small", "large")}
_OURS = ours("large-size limit")
SYMMETRIC = ("gaussian", "anisotropic", "mixture", "uniform", "student_t", "elliptical")
"""Laws for which Paper B states its transition: with a density, symmetric about the origin."""


def of_symmetric_law(parameters: Mapping[str, Any]) -> bool:
    """Return whether Paper B's App. G is about the law of a run's inputs."""
    return parameters["law"] in SYMMETRIC


def inputs_of(law: str) -> str:
    """Return how a sentence begins that is about inputs of a law."""
    return f"{law.replace('_', ' ').capitalize()} inputs"


def _counts(runs: Sequence[RunResult]) -> np.ndarray:
    """Return each run's N, λ, number of separable sets, and number of sets, (4, runs)."""
    sizes = [(run.parameters["n_train"], run.parameters["lambda"]) for run in runs]
    verdicts = [run.scalars["separable"] for run in runs]
    counts = [(each.sum(), len(each)) for each in verdicts]
    return np.column_stack([sizes, counts]).T


def wendel_p(runs: Sequence[RunResult]) -> Measurement:
    """Return the p-value of a joint test of the fractions of separable sets against Wendel's."""
    n_train, lambda_, hits, n = _counts(runs)
    predicted = wendel.separable_probability(n_train, np.round(lambda_ * n_train))
    return joint_binomial_p(hits, n, predicted, *runs)


@claims_of(
    "B6",
    "B15",
    "B17",
    statement="The fraction of separable sets is Wendel's at every λ (and N, and law of inputs).",
    source=paper_b("App. A (Wendel 1962)"),
)
def wendel_joint(evidence: Evidence) -> Iterator[Claim]:
    """Test all points jointly, and fit where the transition is."""
    runs = evidence.runs(*_WENDEL_ROLES[evidence.figure], keep=of_symmetric_law)
    for law, chosen in sorted(by_value(runs, "law").items()):
        yield Claim(
            f"{evidence.figure}-wendel-{law}",
            f"{inputs_of(law)} are separable with Wendel's probability at every λ and N: "
            f"the joint χ² test of the fractions at {len(chosen)} points has p of at least "
            f"{SIGNIFICANCE}.",
            wendel_p(chosen).at_least(SIGNIFICANCE),
            source=paper_b(
                "App. A (Wendel) with v2 App. G"
                if evidence.figure == "B15"
                else "App. A (Wendel 1962)"
            ),
        )
        yield Claim(
            f"{evidence.figure}-critical-{law}",
            f"{inputs_of(law)} become separable at λ = ½: Wendel's curve, shifted in λ to "
            "fit the fractions of separable sets, is centred within 0.005 of ½.",
            _transition(chosen).near(CRITICAL, 0.005),
            source=paper_b(
                "v2 App. G with App. A"
                if evidence.figure == "B15"
                else "v1 Sec. 3.2 and Eq. 21 / v2 Prop. 3.3"
            ),
        )


def _transition(runs: Sequence[RunResult]) -> Measurement:
    """Estimate λ_c as the shift of Wendel's curve that fits best (maximum likelihood).

    Wendel's d must be an integer.  Its Gaussian form, which has no correction of order 1/√N,
    interpolates between integers.
    """
    n_train, lambda_, hits, n = (each[:, np.newaxis] for each in _counts(runs))
    shift = np.linspace(-0.03, 0.03, 1201)
    p = wendel.separable_probability_gaussian(n_train, lambda_ - shift)
    p = np.clip(p, 1e-300, 1 - 1e-16)
    likelihood = (hits * np.log(p) + (n - hits) * np.log1p(-p)).sum(axis=0)
    # Twice the drop of the log-likelihood is χ² with one degree of freedom: 3.841 at 95 %.
    inside = shift[likelihood >= likelihood.max() - 3.841 / 2]
    best = shift[np.argmax(likelihood)]
    best, low, high = (float(CRITICAL + each) for each in (best, inside.min(), inside.max()))
    return Measurement(best, low, high, int(n.sum()), tuple(runs))


def scaled_distance(run: RunResult) -> float:
    """Return √N (1-2λ).

    Where it is below a few, the median is set by Wendel's transition, not by the curve.
    """
    return (1 - 2 * run.parameters["lambda"]) * np.sqrt(run.parameters["n_train"])


def scaled_norms(run: RunResult) -> np.ndarray:
    """Return σ‖S_∞‖ of each set, (R,); inf where it is separable."""
    norms = run.scalars["s_inf_norm"].mask(run.scalars["separable"].astype(bool), np.inf)
    return norms.to_numpy(float) * run.parameters["sigma"]


_LARGE_SIZE = {
    "s_inf_norm": ("‖S_∞‖ (infinite for separable sets)", large_size.limit_norm),
    "positive_fraction": ("the fraction of positive S_∞·x_i", large_size.positive_fraction),
    "positive_mean": ("the mean of the positive S_∞·x_i", large_size.positive_mean),
    "positive_projection": (
        "the mean of the positive projections on S_∞/‖S_∞‖",
        large_size.normalized_positive_mean,
    ),
}
"""Quantity → what it is, and its curve."""


def _median_claim(id_: str, runs: Sequence[RunResult], quantity: str, tolerance: float) -> Claim:
    """Compare medians (separable sets count as +inf) with a curve, far from the transition."""
    words, curve = _LARGE_SIZE[quantity]
    ratios = []
    for run in runs:
        if scaled_distance(run) > 2:
            norm = quantity == "s_inf_norm"
            values = scaled_norms(run) if norm else run.scalars[quantity].dropna()
            ratios.append(median_of(values, run) / curve(run.parameters["lambda"]))
    if not ratios:
        raise Undecidable("no run has √N (1-2λ) > 2")
    worst = furthest(ratios)
    return Claim(
        id_,
        f"At N = {worst.runs[0].parameters['n_train']} the median over sets of {words} follows the "
        f"large-size curve within {100 * tolerance:.0f} % where √N (1-2λ) > 2 (measured: the ratio "
        "furthest from 1, over λ).",
        worst.within(1.0, tolerance),
        source=_OURS,
    )


@claims_of(
    "B1", statement="‖S_∞‖ follows the large-size curve, not the two-point model's.", source=_OURS
)
def limit_norm(evidence: Evidence) -> Iterator[Claim]:
    """Compare the medians with both curves."""
    runs = evidence.runs("statistics")
    yield _median_claim("B1-limit-norm-large-size", runs, "s_inf_norm", 0.15)
    means = [
        mean_of(run.scalars["s_inf_norm"].dropna() * run.parameters["sigma"], run)
        / two_point.s_infinity(run.parameters["lambda"], 1.0)
        for run in runs
    ]
    yield Claim(
        "B1-limit-norm-two-point",
        f"At N = {runs[0].parameters['n_train']} the mean of ‖S_∞‖ over the draws that are not "
        "separable, the paper's statistic, follows the two-point model's curve within 15 % "
        "(measured: the ratio furthest from 1, over λ).",
        furthest(means).within(1.0, 0.15),
        note="The paper finds the data “quite well” described and names no tolerance.  Both "
        "diverge as λ → ½, but the two-point model's ‖S_∞‖ as a logarithm and that of many points "
        "as 1/√(1-2λ).",
        source=paper_b("v1 Sec. 4.1, v2 Sec. 4 and Fig. 1, upper right; tolerance ours"),
        otherwise=Disagreement.NOTATION,
    )


@claims_of("B17", statement="‖S_∞‖ approaches the large-size curve as N grows.", source=_OURS)
def limit_norm_of_largest(evidence: Evidence) -> Iterator[Claim]:
    """Compare the medians at the largest N with the curve."""
    _, largest = max(by_value(evidence.runs("large"), "n_train").items())
    yield _median_claim("B17-limit-norm", largest, "s_inf_norm", 0.1)


def exponent_at_half(curve: Callable[[np.ndarray], np.ndarray]) -> Measurement:
    """Return the exponent of 1/(1-2λ) in a curve for 1-2λ from 2e-4 to 2e-3."""
    gap = np.geomspace(2e-4, 2e-3, 9)
    return Measurement.exact(slope_of(-np.log(gap), np.log(curve((1 - gap) / 2))).value)


@claims_of("B1", statement="‖S_∞‖ diverges at λ = ½ as (1-2λ)^(-½).", source=_OURS)
def divergence(evidence: Evidence) -> Iterator[Claim]:
    """Fit the curve close to ½, and the medians further away."""
    exponent = exponent_at_half(large_size.limit_norm)
    yield Claim(
        "B1-divergence-exponent",
        "In the large-size limit ‖S_∞‖ diverges as (1-2λ)^(-½): the exponent of its curve for 1-2λ "
        "from 2e-4 to 2e-3 is ½, within 2 %.",
        exponent.within(0.5, 0.02),
    )
    yield Claim(
        "B1-divergence-logarithmic",
        "The full model's ‖S_∞‖ diverges as log(1-2λ), like that of the two-point model: the "
        "exponent of the large-size curve in 1/(1-2λ) is 0, within 0.1.",
        exponent.near(0.0, 0.1),
        note="Only the two-point model's ‖S_∞‖ diverges so; for large N the exponent is ½ "
        "(B1-divergence-exponent), and the medians at finite N follow that curve.",
        source=paper_b("v1 Sec. 4.1 (assumed, said to be verified); v2 Sec. 4, second bullet"),
    )
    gap = 2e-4
    prefactor = Measurement.exact(large_size.limit_norm((1 - gap) / 2) * np.sqrt(gap))
    yield Claim(
        "B1-divergence-prefactor",
        "In the large-size limit σ‖S_∞‖ diverges as √(π²/8 + ln²2) (1-2λ)^(-½): the prefactor is "
        "that within 1 % at 1-2λ = 2e-4.",
        prefactor.within(large_size.CRITICAL_NORM, 0.01),
    )
    runs = evidence.runs("statistics")
    points = [
        (run.parameters["lambda"], float(run.number("s_inf_norm")["median"]))
        for run in runs
        if run.parameters["lambda"] >= CRITICAL / 2 and scaled_distance(run) > 1
    ]
    lambda_, median = np.array([each for each in points if np.isfinite(each[1])]).reshape(-1, 2).T
    if len(median) < 4:
        raise Undecidable("fewer than four λ of at least 0.25 have √N (1-2λ) > 1")
    x = -np.log(1 - 2 * lambda_)
    predicted = slope_of(x, np.log(large_size.limit_norm(lambda_))).value
    yield Claim(
        "B1-divergence-measured",
        f"At N = {runs[0].parameters['n_train']} the median of ‖S_∞‖ rises as λ → ½ as the "
        "large-size curve does: the slope of its logarithm against -log(1-2λ) is that of the curve "
        "at the same λ ≥ ¼ with √N (1-2λ) > 1, within 25 %.",
        slope_of(x, np.log(median), *runs).within(predicted, 0.25),
    )


@claims_of(
    "B6",
    "B7",
    statement="Fraction and mean of positive S_∞·x_i stay finite at λ = ½.",
    source=_OURS,
)
def positive(evidence: Evidence) -> Iterator[Claim]:
    """Evaluate the figure's curve close to ½, and compare the medians with it."""
    figure = evidence.figure
    another = ours("large-size limit; not the quantity of Paper B's Fig. 7")
    name, constant, of_limit, of_curve = {
        "B6": (
            "fraction",
            large_size.CRITICAL_POSITIVE_FRACTION,
            paper_b("App. E.1 and Fig. 6, left (some constant); value ours"),
            _OURS,
        ),
        "B7": ("mean", large_size.CRITICAL_POSITIVE_MEAN, another, another),
    }[figure]
    words, curve = _LARGE_SIZE[f"positive_{name}"]
    limit = Measurement.exact(curve(0.5 - 1e-4))
    yield Claim(
        f"{figure}-positive-{name}-limit",
        f"As λ → ½, in the large-size limit, {words} tends to a constant, not to 0: the curve at "
        "1-2λ = 2e-4 is at the constant within 3 %.",
        limit.within(constant, 0.03),
        source=of_limit,
    )
    runs = evidence.runs("statistics")
    claim = _median_claim(f"{figure}-positive-{name}-curve", runs, f"positive_{name}", 0.1)
    yield replace(claim, source=of_curve)


@claims_of(
    "B7",
    statement="The mean of the positive projections on S_∞/‖S_∞‖ vanishes at λ = ½.",
    source=paper_b("App. E.1 and Fig. 7, left"),
)
def positive_projection(evidence: Evidence) -> Iterator[Claim]:
    """Evaluate the curve close to ½, and compare medians and the paper's reference with it."""
    gap = 2e-4
    limit = Measurement.exact(large_size.normalized_positive_mean((1 - gap) / 2))
    yield Claim(
        "B7-positive-projection-vanishes",
        "As λ → ½ the mean of the positive projections on S_∞/‖S_∞‖ tends to 0: the large-size "
        "curve at 1-2λ = 2e-4 is at most 0.01.",
        limit.at_most(0.01, 0.0),
    )
    yield Claim(
        "B7-positive-projection-law",
        "As λ → ½ the mean of the positive projections on S_∞/‖S_∞‖ vanishes as 0.276 √(1-2λ), the "
        "limit of the mean of the positive S_∞·x_i over the prefactor of ‖S_∞‖: the large-size "
        "curve at 1-2λ = 2e-4 is that within 3 %.",
        (limit / np.sqrt(gap)).within(
            large_size.CRITICAL_POSITIVE_MEAN / large_size.CRITICAL_NORM, 0.03
        ),
        source=_OURS,
    )
    runs = evidence.runs("statistics")
    yield _median_claim("B7-positive-projection-curve", runs, "positive_projection", 0.1)
    means = [
        (mean_of(run.scalars["positive_projection"].dropna(), run), run.parameters["lambda"])
        for run in runs
        if scaled_distance(run) > 2
    ]
    if not means:
        raise Undecidable("no run has √N (1-2λ) > 2")
    yield Claim(
        "B7-positive-projection-two-point",
        "The mean of the positive projections on S_∞/‖S_∞‖ is near 1-2λ, its value in the "
        "two-point model: within 20 % where √N (1-2λ) > 2 (measured: the ratio of its mean over "
        "sets to 1-2λ furthest from 1).",
        furthest(mean / (1 - 2 * lambda_) for mean, lambda_ in means).within(1.0, 0.2),
        note="This holds only away from ½: as λ → ½ the mean vanishes as √(1-2λ) "
        "(B7-positive-projection-law).",
        source=paper_b("App. E.1 (compared with the two-point model); tolerance ours"),
    )


@claims_of(
    "B7",
    statement="Above λ = ½ the mean margin grows linearly at first, as the large-size curve does.",
    source=_OURS,
)
def margin_curve(evidence: Evidence) -> Iterator[Claim]:
    """Take the curve's slope at ½, and compare the means with the curve."""
    step = 1e-3
    slope = Measurement.exact(margin.mean_margin(0.5 + step / 2) / step)
    yield Claim(
        "B7-margin-slope",
        "Just above λ = ½ the large-size margin grows as √(π/8) (2λ-1): its slope in 2λ-1 is "
        "√(π/8), within 1 %.",
        slope.within(margin.MARGIN_SLOPE, 0.01),
        source=paper_b("App. E.1 (it should vanish at ½), v2 Sec. 4; slope ours"),
    )
    runs = evidence.runs("margins", keep=lambda p: p["lambda"] > CRITICAL)
    kept = [run for run in runs if run.scalars["separable"].mean() > 0.98]
    if not kept:
        raise Undecidable("at no λ are over 98 % of draws separable")
    yield Claim(
        "B7-margin-curve",
        f"The mean margin at N = {kept[0].parameters['n_train']} follows the large-size curve "
        "within 10 % where over 98 % of draws are separable (measured: the ratio furthest from 1, "
        "over λ).",
        furthest(
            mean_of(run.scalars["margin"].dropna(), run)
            / margin.mean_margin(run.parameters["lambda"])
            for run in kept
        ).within(1.0, 0.1),
        source=_OURS,
    )
    yield Claim(
        "B7-margin-equal",
        "The margin is 2λ-1, as in the two-point model: within 10 % where over 98 % of draws are "
        "separable (measured: the ratio of the mean margin to 2λ-1 furthest from 1).",
        furthest(
            mean_of(run.scalars["margin"].dropna(), run) / (2 * run.parameters["lambda"] - 1)
            for run in kept
        ).within(1.0, 0.1),
        note="The margin is linear in 2λ-1 as well, but with the factor √(π/8) = 0.627 at ½ and a "
        "smaller one above (B7-margin-slope): “the same dependence” holds as a proportionality, "
        "not as an equality.",
        source=paper_b("v2 Sec. 4 (the same dependence as 2λ-1)"),
        otherwise=Disagreement.NOTATION,
    )


@claims_of(
    "B17",
    statement="The separable fractions of all N collapse on one curve.",
    source=paper_b("App. A, Eq. 20"),
)
def collapse(evidence: Evidence) -> Iterator[Claim]:
    """Test all points jointly."""
    rows = evidence.rows("separable_fraction_scaled", "fraction")
    n_train, lambda_, n, share = rows[["n_train", "lambda", "n", "y"]].to_numpy(float).T
    predicted = wendel.separable_probability_gaussian(n_train, lambda_)
    yield Claim(
        "B17-collapse",
        "The separable fractions of all N collapse on ½[1 + erf(x/√2)], x = √N (2λ-1): the joint "
        f"χ² test has p of at least {SIGNIFICANCE}.",
        joint_binomial_p(
            np.round(share * n), n, predicted, *evidence.runs("small", "large")
        ).at_least(SIGNIFICANCE),
    )
