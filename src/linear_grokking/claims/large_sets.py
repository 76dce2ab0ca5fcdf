"""Claims on inputs drawn product by product, and on the times of large sets: Fig. B21."""

from collections.abc import Iterator

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.stats import ks_2samp

from linear_grokking.claims.measuring import (
    SIGNIFICANCE,
    extremes_of,
    geometric_mean_of,
    mean_of,
    of_shared_draws,
    proportion_of,
    slope_of,
)
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, Measurement, Undecidable, ours, paper_b
from linear_grokking.figures.b21 import log_ratios, settled_shares, settled_time, settling
from linear_grokking.results.statistics import deviation_interval
from linear_grokking.theory.large_size import SETTLED

_UNSETTLED = 0.3
"""σ²p log(ηC_∞t) up to which S is far from settled."""
_COMPARED = ("t_train", "t_gen", "final_weight_norm")
_FORMULA = ours("large-size limit, S settled; docs/theory.md")


@claims_of(
    "B21",
    statement="Runs on inputs drawn product by product have the law of runs on a matrix of inputs.",
    source=ours("deferred decisions, docs/theory.md; Lu 2021"),
)
def same_law(evidence: Evidence) -> Iterator[Claim]:
    """Compare times and norms of both kinds of inputs at one size."""
    (direct,), (deferred,) = evidence.runs("direct"), evidence.runs("deferred")
    found = [ks_2samp(direct.scalars[name], deferred.scalars[name]).pvalue for name in _COMPARED]
    p = min(1.0, len(found) * float(min(found)))
    n = direct.realizations + deferred.realizations
    yield Claim(
        "B21-same-law",
        f"At N = {direct.parameters['n_train']}, runs on inputs drawn product by product have the "
        "law of runs on matrices of inputs: two-sample Kolmogorov-Smirnov tests of the times to "
        f"{evidence.percent} training and generalization accuracy and of the final ‖S‖ have p of "
        f"at least {SIGNIFICANCE} (measured: the least of {len(found)}, times {len(found)}).",
        Measurement(p, p, p, n, (direct, deferred)).at_least(SIGNIFICANCE),
    )


@claims_of(
    "B21",
    statement="The time to an accuracy scatters as 1/√N about the formula for a settled S.",
    source=_FORMULA,
)
def sizes(evidence: Evidence) -> Iterator[Claim]:
    """Compare scatter and mean of the times with the limit of large sets."""
    large = evidence.runs("deferred", "large", "largest")
    logs = [log_ratios(run, evidence.threshold) for run in large]
    p = large[0].parameters
    yield Claim(
        "B21-time",
        f"On large sets (λ = {p['lambda']:g}, σ = {p['sigma']:g}) the time to {evidence.percent} "
        "accuracy is that of the large-size formula for a settled S, within 15 % (measured: the "
        "geometric mean of their ratio, over all draws of inputs product by product).",
        geometric_mean_of(np.exp(np.concatenate(logs)), *large).within(1.0, 0.15),
        note="The formula neglects the start from b = 0, which makes the time shorter by some "
        "percent.",
    )
    scattered = [
        (run, values)
        for run in evidence.runs("small", "direct", "deferred", "large", "largest")
        if len(values := log_ratios(run, evidence.threshold)) > 1 and np.isfinite(values).all()
    ]
    sizes = [run.parameters["n_train"] for run, _ in scattered]
    if len(set(sizes)) < 2:
        raise Undecidable("the accuracy is reached by several draws at fewer than two N")
    spread = [deviation_interval(values)[0] for _, values in scattered]
    yield Claim(
        "B21-scatter",
        f"The standard deviation of log t, t the time to {evidence.percent} accuracy, falls as "
        f"N^(-1/2): the power fitted from N = {min(sizes)} to {max(sizes)} is -1/2 within 0.2.",
        slope_of(np.log(sizes), np.log(spread), *(run for run, _ in scattered)).near(-0.5, 0.2),
    )


@claims_of(
    "B21",
    statement="The formula for a settled S holds where σ²p log(ηC_∞t) is large, not where it is "
    "small.",
    source=_FORMULA,
)
def settled(evidence: Evidence) -> Iterator[Claim]:
    """Compare times with the formula on both sides of its range."""
    runs = evidence.runs("times", keep=lambda p: p["lambda"] < 0.5)
    late = [run for run in runs if settling(run, evidence.threshold) >= SETTLED]
    if not late:
        raise Undecidable(f"no run has σ²p log(ηC_∞t) of at least {SETTLED:g}")
    # Draws are shared between σ: the scatter is over realizations, not points.
    formula = np.log([[settled_time(run, evidence.threshold)] for run in late])
    shares = np.mean(np.log(of_shared_draws(late, "t_gen")) / formula, axis=0)
    yield Claim(
        "B21-settled",
        f"Where σ²p log(ηC_∞t) is at least {SETTLED:g} at the time t that the formula for a "
        f"settled S gives, log t at {evidence.percent} accuracy is that of the formula, within "
        f"5 % (measured: the mean of their ratio over {len(late)} points).",
        mean_of(shares, *late).within(1.0, 0.05),
    )
    early = [run for run in runs if settling(run, evidence.threshold) <= _UNSETTLED]
    if early:
        ratios = np.concatenate([np.exp(log_ratios(run, evidence.threshold)) for run in early])
        yield Claim(
            "B21-not-settled",
            f"Where σ²p log(ηC_∞t) is at most {_UNSETTLED:g} at the time t that the formula for a "
            f"settled S gives, {evidence.percent} accuracy is reached at least 10 times sooner "
            "than by the formula (measured: mean, smallest and largest ratio of the times).",
            extremes_of(ratios, *early).at_most(0.1),
        )


@claims_of(
    "B21",
    statement="How far S has settled decides alone by how much the time falls short of the formula "
    "for a settled S.",
    source=ours("measured"),
)
def one_curve(evidence: Evidence) -> Iterator[Claim]:
    """Compare the ratios of the logarithms with the closest function that rises."""
    runs = evidence.runs("times", keep=lambda p: p["lambda"] < 0.5)
    places = np.array([settling(run, evidence.threshold) for run in runs])
    medians = np.array([np.median(settled_shares(run, evidence.threshold)) for run in runs])
    reached = [k for k in np.argsort(places) if np.isfinite(medians[k])]
    if not reached:
        raise Undecidable("half of the draws or more never reach the accuracy")
    shares = medians[reached]
    misses = np.abs(shares - isotonic_regression(shares).x)
    yield Claim(
        "B21-one-curve",
        f"At any λ and σ the ratio of log t at {evidence.percent} accuracy to log t by the "
        "formula for a settled S is one rising function of σ²p log(ηC_∞t), within 0.1 (measured: "
        "the distances of the medians from the closest such function).",
        extremes_of(misses, *(runs[k] for k in reached)).at_most(0.1),
        note="Measured, not derived.",
    )


@claims_of(
    "B21",
    statement="At λ = ½ and fixed σ the time to an accuracy is finite, for large sets too.",
    source=paper_b("Sec. 3.4 (σ → ∞ before λ → ½)"),
)
def at_one_half(evidence: Evidence) -> Iterator[Claim]:
    """Count the draws that reach the accuracy at λ = ½, for all σ but the largest."""
    runs = evidence.runs("times", keep=lambda p: p["lambda"] == 0.5)
    largest = max(run.parameters["sigma"] for run in runs)
    runs = [run for run in runs if run.parameters["sigma"] < largest]
    if not runs:
        raise Undecidable("all runs have the same σ")
    reached = np.isfinite(of_shared_draws(runs, "t_gen")).all(axis=0)
    p = runs[0].parameters
    yield Claim(
        "B21-one-half",
        f"At λ = ½, N = {p['n_train']} and σ below {largest:g} the time to {evidence.percent} "
        "accuracy is finite: at least half of the sets reach it at each such σ before "
        f"t = {p['t_max']:.0e}.",
        proportion_of(reached, *runs).at_least(0.5, 1.0),
        note="The formula for a settled S gives no finite time at λ = ½.",
    )
