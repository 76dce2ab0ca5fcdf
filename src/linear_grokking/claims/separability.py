"""Claims on separability, S_∞ and the margin: Paper B's Figs. 1, 6, 7, 15 and 17."""

from collections.abc import Iterator, Sequence

import numpy as np

from linear_grokking.claims.measuring import (
    joint_binomial_p,
    mean_of,
    median_of,
    slope_of,
)
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, Measurement, at_least, at_most, near, within
from linear_grokking.figures.separability_panels import CRITICAL
from linear_grokking.figures.tables import RunResult
from linear_grokking.theory import large_size, margin, two_point, wendel

SIGNIFICANCE = 0.01
"""A joint test whose p-value is at least this agrees with its prediction."""
_STATISTICS = {
    "B1": ("statistics",),
    "B6": ("statistics",),
    "B15": ("statistics",),
    "B17": ("small", "large"),
}
_WENDEL_ROLES = {figure: _STATISTICS[figure] for figure in ("B6", "B15", "B17")}


def _verdicts(run: RunResult) -> np.ndarray:
    return run.rows("separability")["separable"].to_numpy(bool)


def _sizes(run: RunResult) -> tuple[int, int]:
    n_train = int(run.parameters["n_train"])
    return n_train, round(run.parameters["lambda"] * n_train)


@claims_of("B6", "B15", "B17")
def wendel_joint(evidence: Evidence) -> Iterator[Claim]:
    """Check the separable fraction is Wendel's at every λ (and N, and law): one joint test."""
    runs = evidence.runs(*_WENDEL_ROLES[evidence.figure])
    for law in sorted({run.parameters["law"] for run in runs}):
        chosen = [run for run in runs if run.parameters["law"] == law]
        verdicts = [_verdicts(run) for run in chosen]
        probability = [float(wendel.separable_probability(*_sizes(run))) for run in chosen]
        p = joint_binomial_p(
            [each.sum() for each in verdicts], [len(each) for each in verdicts], probability
        )
        yield Claim(
            f"{evidence.figure}-wendel-{law}",
            evidence.figure,
            "Paper B, App. A (Wendel 1962)",
            f"The fraction of separable sets ({law} inputs) is Wendel's at every point: the joint "
            f"χ² test over {len(chosen)} points has p of at least {SIGNIFICANCE}.",
            np.nan,
            at_least(SIGNIFICANCE),
            p,
            run_ids=[run.run_id for run in chosen],
        )
        yield _critical_point(evidence.figure, law, chosen, verdicts)


def _critical_point(
    figure: str, law: str, runs: Sequence[RunResult], verdicts: Sequence[np.ndarray]
) -> Claim:
    """Estimate λ_c as the shift of Wendel's curve that fits best (maximum likelihood).

    Wendel's d must be whole: its Gaussian form, which has no correction of order 1/√N,
    interpolates.
    """
    n_train, lambda_ = (
        np.array([run.parameters[key] for run in runs], float) for key in ("n_train", "lambda")
    )
    hits, n = (np.array([f(each) for each in verdicts], float) for f in (np.sum, len))
    shift = np.linspace(-0.03, 0.03, 1201)
    p = wendel.separable_probability_gaussian(
        n_train[:, np.newaxis], lambda_[:, np.newaxis] - shift
    )
    p = np.clip(p, 1e-300, 1 - 1e-16)
    likelihood = (hits[:, np.newaxis] * np.log(p) + (n - hits)[:, np.newaxis] * np.log1p(-p)).sum(0)
    # Twice the drop of the log-likelihood is χ² of one degree: 3.841 at 95 %.
    inside = shift[likelihood >= likelihood.max() - 3.841 / 2]
    best = shift[np.argmax(likelihood)]
    measured = Measurement(
        CRITICAL + best, CRITICAL + inside.min(), CRITICAL + inside.max(), int(n.sum())
    )
    return Claim(
        f"{figure}-critical-{law}",
        figure,
        "Paper B, Sec. 3.2 and App. A",
        f"The transition ({law} inputs) is at λ = ½: Wendel's curve, shifted to fit the fractions, "
        "is centred within 0.005 of it.",
        CRITICAL,
        near(CRITICAL, 0.005),
        measured,
        run_ids=[run.run_id for run in runs],
    )


def _relative(run: RunResult, quantity: str, curve) -> Measurement:
    """Return the run's median, separable sets as +inf, over the large-size curve."""
    sets = run.rows("separability")
    values = sets[quantity].to_numpy(float)
    if quantity == "s_inf_norm":
        values = np.where(sets["separable"].to_numpy(bool), np.inf, values)
        values = values * run.parameters["sigma"]
    else:
        values = values[~np.isnan(values)]
    measured = median_of(values)
    predicted = float(curve(run.parameters["lambda"]))
    return Measurement(
        measured.value / predicted, measured.low / predicted, measured.high / predicted, measured.n
    )


@claims_of("B1")
def limit_norm_curve(evidence: Evidence) -> Iterator[Claim]:
    """‖S_∞‖ follows the large-size curve, not the two-point model's, nor a logarithm."""
    runs = evidence.runs("statistics")
    gaps = np.array([1 - 2 * run.parameters["lambda"] for run in runs])
    n_train = runs[0].parameters["n_train"]
    # Nearer than a few 1/√N Wendel's transition, not the curve, sets the median.
    far = [run for run, gap in zip(runs, gaps, strict=True) if gap * np.sqrt(n_train) > 2]
    for name, curve, source, note in (
        ("large-size", large_size.limit_norm, "ours (large-size limit)", ""),
        (
            "two-point",
            lambda value: two_point.s_infinity(value, 1.0),
            "Paper B, Sec. 4.1 and Fig. 1 (two-point model)",
            "Both grow towards ½, but the two-point model's ‖S_∞‖ as a logarithm and that of many "
            "points as 1/√(1-2λ).",
        ),
    ):
        ratios = [_relative(run, "s_inf_norm", curve) for run in far]
        if not ratios:
            continue
        worst = max(ratios, key=lambda each: abs(np.log(each.value)))
        yield Claim(
            f"B1-limit-norm-{name}",
            "B1",
            source,
            f"The median ‖S_∞‖ at N = {n_train} is that of the {name} curve within 15 % at every λ "
            "with √N (1-2λ) > 2 (measured: the ratio furthest from 1).",
            1.0,
            within(1.0, 0.15),
            worst,
            note=note,
            run_ids=[run.run_id for run in far],
        )


@claims_of("B1")
def limit_norm_divergence(evidence: Evidence) -> Iterator[Claim]:
    """How ‖S_∞‖ diverges at λ = ½."""
    gap = np.geomspace(2e-4, 2e-3, 9)
    exact = large_size.limit_norm((1 - gap) / 2)
    slope = -float(np.polyfit(np.log(gap), np.log(exact), 1)[0])
    yield Claim(
        "B1-divergence-exponent",
        "B1",
        "ours (large-size limit)",
        "For large N ‖S_∞‖ diverges as (1-2λ)^(-½): the exponent of the curve for 1-2λ from 2e-4 "
        "to 2e-3 is ½ within 2 %.",
        0.5,
        within(0.5, 0.02),
        Measurement.exact(slope),
    )
    yield Claim(
        "B1-divergence-logarithmic",
        "B1",
        'Paper B, Sec. 4.1 (assumed, and "verified numerically")',
        "The full model's ‖S_∞‖ diverges as log(1-2λ), as the two-point model's does: the large-N "
        "curve's exponent in 1/(1-2λ) is 0, within 0.1.",
        0.0,
        near(0.0, 0.1),
        Measurement.exact(slope),
        note="Only the two-point model's does; for large N the exponent is ½ "
        "(B1-divergence-exponent), and the medians at finite N follow that curve.",
    )
    yield Claim(
        "B1-divergence-prefactor",
        "B1",
        "ours (large-size limit)",
        "The prefactor of the divergence is √(π²/8 + ln²2), within 1 %.",
        float(large_size.CRITICAL_NORM),
        within(float(large_size.CRITICAL_NORM), 0.01),
        Measurement.exact(float(exact[0] * np.sqrt(gap[0]))),
    )
    runs = evidence.runs("statistics")
    n_train = runs[0].parameters["n_train"]
    points = [
        (np.log(1 - 2 * run.parameters["lambda"]), np.log(run.scalar("s_inf_norm")["median"]))
        for run in runs
        if run.parameters["lambda"] >= 0.5 * CRITICAL
        and (1 - 2 * run.parameters["lambda"]) * np.sqrt(n_train) > 1
        and np.isfinite(run.scalar("s_inf_norm")["median"])
    ]
    if len(points) < 4:
        return
    x, y = np.array(points).T
    local = np.polyfit(x, np.log(large_size.limit_norm((1 - np.exp(x)) / 2)), 1)[0]
    measured = slope_of(x, y, sum(run.realizations for run in runs))
    yield Claim(
        "B1-divergence-measured",
        "B1",
        "ours (large-size limit)",
        f"The medians of ‖S_∞‖ at N = {n_train} rise towards ½ with the slope in log-log that the "
        "large-size curve has at these λ, within 25 %.",
        -float(local),
        within(-float(local), 0.25),
        Measurement(-measured.value, -measured.high, -measured.low, measured.n),
        run_ids=[run.run_id for run in runs],
    )


@claims_of("B6", "B7")
def positive_outputs(evidence: Evidence) -> Iterator[Claim]:
    """Fraction and mean of positive S_∞·x_i: finite at λ = ½, and not by leaving draws out."""
    quantity, curve, constant, words = {
        "B6": (
            "positive_fraction",
            large_size.positive_fraction,
            float(large_size.CRITICAL_POSITIVE_FRACTION),
            "fraction of positive S_∞·x_i",
        ),
        "B7": (
            "positive_mean",
            large_size.positive_mean,
            float(large_size.CRITICAL_POSITIVE_MEAN),
            "mean of the positive S_∞·x_i",
        ),
    }[evidence.figure]
    figure = evidence.figure
    slug = quantity.replace("_", "-")
    runs = evidence.runs("statistics")
    n_train = runs[0].parameters["n_train"]
    far = [r for r in runs if (1 - 2 * r.parameters["lambda"]) * np.sqrt(n_train) > 2]
    if far:
        ratios = [_relative(run, quantity, curve) for run in far]
        worst = max(ratios, key=lambda each: abs(np.log(each.value)))
        yield Claim(
            f"{figure}-{slug}-curve",
            figure,
            "ours (large-size limit)",
            f"The median {words} at N = {n_train} is that of the large-size curve within 10 % "
            "where √N (1-2λ) > 2 (measured: the ratio furthest from 1).",
            1.0,
            within(1.0, 0.1),
            worst,
            run_ids=[run.run_id for run in far],
        )
    limit = Measurement.exact(float(curve(0.5 - 1e-4)))
    yield Claim(
        f"{figure}-{slug}-limit",
        figure,
        "ours (large-size limit)"
        if figure == "B7"
        else "Paper B, App. E.1 (some positive constant); value ours",
        f"As λ → ½ the {words} of large sets tends to a constant, not to 0: the curve at "
        "1-2λ = 2e-4 is the constant within 3 %.",
        constant,
        within(constant, 0.03),
        limit,
    )
    if figure == "B7":
        yield Claim(
            f"{figure}-{slug}-vanishes",
            figure,
            "Paper B, App. E.1 and Fig. 7",
            f"As λ → ½ the {words} of large sets goes to 0, and separable draws that are left out "
            "keep the data above it: the curve at 1-2λ = 2e-4 is at most 0.02.",
            0.0,
            at_most(0.02),
            limit,
            note="Large sets below ½ are never separable, so that nothing is left out, and their "
            f"mean tends to {constant:.4f}; what is measured at finite N follows their curve "
            f"({figure}-{slug}-curve).",
        )


@claims_of("B7")
def margins(evidence: Evidence) -> Iterator[Claim]:
    """Check the mean margin follows the large-size curve, and starts linearly."""
    runs = evidence.runs("margins")
    n_train = runs[0].parameters["n_train"]
    kept = [run for run in runs if _verdicts(run).mean() > 0.98] or runs
    ratios = []
    for run in kept:
        values = run.rows("separability")["margin"].dropna().to_numpy(float)
        measured = mean_of(values / float(margin.mean_margin(run.parameters["lambda"])))
        ratios.append(measured)
    worst = max(ratios, key=lambda each: abs(np.log(each.value)))
    yield Claim(
        "B7-margin-curve",
        "B7",
        "ours (large-size limit)",
        f"The mean margin at N = {n_train} is that of the large-size curve within 10 % where over "
        "98 % of draws are separable (measured: the ratio furthest from 1).",
        1.0,
        within(1.0, 0.1),
        worst,
        run_ids=[run.run_id for run in kept],
    )
    step = 1e-3
    yield Claim(
        "B7-margin-slope",
        "B7",
        "Paper B, App. E.1 (the margin vanishes at ½); slope ours",
        "Above λ = ½ the margin grows as √(π/8) (2λ-1): the curve's slope there, within 1 %.",
        float(margin.MARGIN_SLOPE),
        within(float(margin.MARGIN_SLOPE), 0.01),
        Measurement.exact(float(margin.mean_margin(0.5 + step / 2) / step)),
    )


@claims_of("B17")
def finite_size(evidence: Evidence) -> Iterator[Claim]:
    """Check the collapse of the separable fraction, and the approach of ‖S_∞‖ to its curve."""
    rows = evidence.rows("separable_fraction_scaled", "fraction")
    predicted = wendel.separable_probability_gaussian(
        rows["n_train"].to_numpy(float), rows["lambda"].to_numpy(float)
    )
    n = rows["n"].to_numpy(float)
    hits = np.round(rows["y"].to_numpy(float) * n)
    run_ids = [run.run_id for run in evidence.runs("small", "large")]
    yield Claim(
        "B17-collapse",
        "B17",
        "Paper B, App. A, Eq. 20",
        "The separable fractions of all N collapse on ½[1 + erf(x/√2)], x = √N (2λ-1): the joint "
        f"χ² test has p of at least {SIGNIFICANCE}.",
        np.nan,
        at_least(SIGNIFICANCE),
        joint_binomial_p(hits, n, predicted),
        run_ids=run_ids,
    )
    largest = max(run.parameters["n_train"] for run in evidence.runs("large"))
    runs = [
        run
        for run in evidence.runs("large")
        if run.parameters["n_train"] == largest
        and (1 - 2 * run.parameters["lambda"]) * np.sqrt(largest) > 2
    ]
    if runs:
        ratios = [_relative(run, "s_inf_norm", large_size.limit_norm) for run in runs]
        worst = max(ratios, key=lambda each: abs(np.log(each.value)))
        yield Claim(
            "B17-limit-norm",
            "B17",
            "ours (large-size limit)",
            f"At the largest N = {largest} the median ‖S_∞‖ is that of the large-size curve within "
            "10 % where √N (1-2λ) > 2 (measured: the ratio furthest from 1).",
            1.0,
            within(1.0, 0.1),
            worst,
            run_ids=[run.run_id for run in runs],
        )
