"""Claims on the dynamics of logistic classification: Paper B's Figs. 1, 2, 5, 10 to 13, 15, 17."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from linear_grokking.claims.measuring import (
    extremes_of,
    furthest,
    geometric_mean_of,
    mean_of,
    median_of,
    proportion_of,
    slope_of,
)
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.separability import CRITICAL, exponent_at_half
from linear_grokking.claims.verdict import Claim, Measurement, Undecidable, ours, paper_b
from linear_grokking.figures.logistic_panels import limit_accuracies, pair_runs
from linear_grokking.figures.separability_panels import LARGEST_BELOW
from linear_grokking.results.crossings import first_crossing
from linear_grokking.results.reading import RunResult
from linear_grokking.theory import large_size, margin

_CONSTANT_LABEL = paper_b("Secs. 3.2 and 3.3")
_FINAL = ("final_dynamics", "final_separability")


def _draws(
    evidence: Evidence, dynamics: str, separability: str, query: str
) -> list[tuple[RunResult, pd.DataFrame]]:
    """Return runs with their realizations: scalars, and what becomes of them at t → ∞.

    Parameters
    ----------
    dynamics, separability
        Roles of runs on the same sets.
    query
        Tells by their columns and ``lambda_`` which realizations to look at; runs without any
        are left out.

    Raises
    ------
    Undecidable
        If none is left.
    """
    found = []
    for run, sets in pair_runs(evidence.runs(dynamics), evidence.runs(separability)):
        draws = run.scalars.merge(limit_accuracies(run, sets), on="realization")
        draws = draws.assign(lambda_=run.parameters["lambda"]).query(query)
        found += [(run, draws)] if len(draws) else []
    if not found:
        raise Undecidable(f"no realization of {dynamics} is {query!r}")
    return found


@claims_of("B1", statement="The accuracy tends to 1 below λ = ½.", source=_CONSTANT_LABEL)
def perfect_below(evidence: Evidence) -> Iterator[Claim]:
    """Count the draws whose limit is 1."""
    below = _draws(evidence, *_FINAL, "lambda_ <= 0.42")
    perfect = np.concatenate([draws["limit"] == 1 for _, draws in below])
    yield Claim(
        "B1-perfect-below",
        "For λ ≤ 0.42 the generalization accuracy tends to 1: at least 98 % of draws are not "
        "separable.",
        proportion_of(perfect, *(run for run, _ in below)).at_least(0.98, 1.0),
    )


@claims_of(
    "B1", statement="The accuracy tends to Φ(1/(σM)) above λ = ½.", source=paper_b("v2 Prop. 3.3")
)
def margin_accuracy(evidence: Evidence) -> Iterator[Claim]:
    """Compare limits with those of the large-size margin, and with where training ends."""
    above = _draws(evidence, *_FINAL, "lambda_ >= 0.57")
    runs = [run for run, _ in above]
    sizes = ("lambda", "sigma")
    deviations = (
        mean_of(
            draws["limit"] - margin.limit_gen_accuracy(*(run.parameters[k] for k in sizes)), run
        )
        for run, draws in above
    )
    yield Claim(
        "B1-margin-accuracy",
        "For λ ≥ 0.57 the final accuracy is Φ(1/(σM)) with the large-size margin, within 0.03 "
        "(measured: the deviation furthest from 0).",
        furthest(deviations, distance=abs).near(0.0, 0.03),
        source=paper_b("Sec. 3.3; curve ours"),
    )
    left = np.concatenate([draws["limit"] - draws["final_gen_accuracy"] for _, draws in above])
    yield Claim(
        "B1-slow-approach",
        f"When training ends, at t = {runs[0].parameters['t_max']:.0e}, separable sets "
        "have reached their limiting accuracy, within 0.01 on average.",
        mean_of(left, *runs).near(0.0, 0.01),
        note="What is left closes only logarithmically in t, so that the limit itself is "
        "computed from the margin.",
        source=paper_b("Fig. 1 (final accuracies from training)"),
    )


def _log_time(evidence: Evidence, lambda_: Any, eta: float = 1.0) -> Any:
    """Return the large-size logarithm of the time of the accuracy that counts as reached."""
    return large_size.log_time_to_accuracy(lambda_, eta, evidence.threshold)


@claims_of(
    "B1",
    statement="The median time of generalization follows the large-size curve, from λ = 0.3 on.",
    source=ours("large-size limit"),
)
def t95(evidence: Evidence) -> Iterator[Claim]:
    """Fit the curve's exponent at ½, and compare the medians with the curve."""
    yield Claim(
        "B1-t95-divergence",
        f"For large N the logarithm of the time of {evidence.percent} accuracy diverges as "
        "(1-2λ)^(-½): the curve's exponent for 1-2λ from 2e-4 to 2e-3 is ½ within 10 %.",
        exponent_at_half(lambda lambda_: _log_time(evidence, lambda_)).within(0.5, 0.1),
    )
    runs = evidence.runs("final_dynamics", keep=lambda p: 0.3 <= p["lambda"] < 0.46)
    yield Claim(
        "B1-t95-curve",
        f"From λ = 0.3 to 0.46 the median time of {evidence.percent} accuracy at N = "
        f"{runs[0].parameters['n_train']} is that of the large-size curve: log t within 10 % "
        "(measured: the ratio furthest from 1).",
        furthest(
            median_of(np.log(run.scalars["t_gen"]), run)
            / _log_time(evidence, run.parameters["lambda"], run.parameters["eta"])
            for run in runs
        ).within(1.0, 0.1),
    )


@claims_of(
    "B17",
    statement="The median time of generalization approaches the large-size curve as N grows.",
    source=ours("large-size limit"),
)
def t95_of_largest(evidence: Evidence) -> Iterator[Claim]:
    """Compare them at the smallest λ and the largest N."""
    runs = evidence.runs("dynamics", keep=lambda p: p["lambda"] <= LARGEST_BELOW)
    run = min(runs, key=lambda run: (run.parameters["lambda"], -run.parameters["n_train"]))
    lambda_, n_train, eta = (run.parameters[key] for key in ("lambda", "n_train", "eta"))
    predicted = _log_time(evidence, lambda_, eta)
    yield Claim(
        "B17-t95",
        f"At λ = {lambda_:g} and the largest N = {n_train} the median of the logarithm of the time "
        f"of {evidence.percent} accuracy is the large-size value, within 5 %.",
        median_of(np.log(run.scalars["t_gen"]), run).within(predicted, 0.05),
    )


@claims_of(
    "B1",
    statement="Below ½ the bias falls as -log t; train and generalization accuracy separate.",
    source=paper_b("Sec. 3.3 and Fig. 1"),
)
def log_laws(evidence: Evidence) -> Iterator[Claim]:
    """Fit the bias at late times, and take the delay at the λ nearest to ½."""
    runs = evidence.runs("dynamics", keep=lambda p: p["lambda"] < CRITICAL)
    nearest = max(run.parameters["lambda"] for run in runs)
    for run in runs:
        lambda_ = run.parameters["lambda"]
        steps, bias = run.curves("bias")
        late = steps >= steps[-1] / 1e4
        slopes = [slope_of(np.log(steps[late]), each[late]).value for each in bias]
        yield Claim(
            f"B1-bias-slope-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} the bias ends as -log t: its slope over the last four decades "
            "is -1 within 10 %.",
            mean_of(slopes, run).within(-1.0, 0.1),
            source=_CONSTANT_LABEL,
        )
        if lambda_ < nearest:
            continue
        delay = np.log10(run.scalars[["t_train", "t_gen"]]).diff(axis=1)["t_gen"].to_numpy()
        if np.isfinite(delay).all():
            measured = mean_of(delay, run)
        else:
            # Some never came: the median, between the extremes of the draws.
            measured = replace(extremes_of(delay, run), value=median_of(delay).value)
        yield Claim(
            f"B1-delay-lambda-{lambda_:g}",
            f"Just below the transition (λ = {lambda_:g}) generalization lags training by at "
            "least three decades in t.",
            measured.at_least(3.0),
            source=paper_b("Fig. 1"),
        )


@claims_of(
    "B2",
    statement="S(τ) with bias is the path without.",
    source=paper_b("Sec. 3.3 (conformal time) and App. C"),
)
def conformal(evidence: Evidence) -> Iterator[Claim]:
    """Take the largest difference between the two paths."""
    rows = evidence.rows("conformal_path").sort_values("x")
    runs = evidence.runs("with_bias", "without_bias")
    for lambda_, paths in rows.groupby("lambda"):
        given, free = (paths[paths["series"] == name] for name in ("with_bias", "without_bias"))
        free = free[free["x"] > 0]
        given = given[(given["x"] >= 1.0) & (given["x"] <= free["x"].max())]
        if given.empty:
            continue
        expected = np.interp(np.log(given["x"]), np.log(free["x"]), free["y"])
        worst = np.max(np.abs(given["y"] / expected - 1))
        both = (run for run in runs if run.parameters["lambda"] == lambda_)
        yield Claim(
            f"B2-conformal-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} the exponential loss's S(τ) is the path without bias: ‖S‖ differs "
            "by at most 1 % at any τ, interpolation included (measured: the largest difference).",
            extremes_of([worst], *both).between(0.0, 0.01, 0.0),
        )


_LOG_LAWS = (("weight", "‖S‖", "M/(1+M²)"), ("bias", "b", "-1/(1+M²)"))


@claims_of(
    "B2",
    statement="On separable sets ‖S‖ and b grow as log t, with slopes that the margin gives.",
    source=paper_b("Sec. 3.3"),
)
def log_slope(evidence: Evidence) -> Iterator[Claim]:
    """Compare the slopes over the second half of log t with them."""
    for run, sets in pair_runs(evidence.runs("with_bias"), evidence.runs("separability")):
        lambda_ = run.parameters["lambda"]
        draws = run.scalars[["realization"]].merge(sets.scalars, how="left")
        margins, kept = draws["margin"].to_numpy(float), draws["margin"].notna()
        if lambda_ < CRITICAL or not kept.any():
            continue
        steps, *curves = run.curves("weight_norm", "bias")
        half = np.searchsorted(steps, np.sqrt(steps[-1]))
        laws = margin.log_law_slopes(margins[kept])
        for (name, letter, words), law, values in zip(_LOG_LAWS, laws, curves, strict=True):
            slope = (values[:, -1] - values[:, half]) / np.log(steps[-1] / steps[half])
            yield Claim(
                f"B2-log-slope-{name}-lambda-{lambda_:g}",
                f"On a separable set (λ = {lambda_:g}) {letter} grows as {words} times log t: the "
                f"slope from t = {steps[half]:.0e} to {steps[-1]:.0e} is that within 10 %.",
                extremes_of(slope[kept] / law, run, sets).within(1.0, 0.1),
                note="The corrections fall only with log t.",
            )


@claims_of(
    "B5",
    statement="With Adam the generalization accuracy first stays at chance.",
    source=paper_b("App. B and Fig. 5"),
)
def plateau(evidence: Evidence) -> Iterator[Claim]:
    """Compare the steps at which the two accuracies reach 60 %."""
    for run in evidence.runs("dynamics"):
        steps, *accuracies = run.curves("train_accuracy", "gen_accuracy")
        train, gen = (first_crossing(steps, each, 0.6) for each in accuracies)
        measured = Measurement.unknown(len(gen), run)
        if np.isfinite([train, gen]).all():
            measured = geometric_mean_of(gen / np.maximum(train, 1.0), run)
        yield Claim(
            "B5-plateau",
            "With Adam the generalization accuracy stays at chance after the training accuracy has "
            "left it: it takes at least 3 times as many steps to reach 60 %.",
            measured.at_least(3.0),
        )


@claims_of(
    "B10",
    statement="Below λ = ½ Adam ends at perfect accuracy on sets that are not separable.",
    source=paper_b("App. F.2"),
)
def adam_perfect(evidence: Evidence) -> Iterator[Claim]:
    """Average their final accuracy, by λ."""
    query = "lambda_ < 0.5 and not separable"
    for run, draws in _draws(evidence, "adam", "separability", query):
        lambda_ = run.parameters["lambda"]
        yield Claim(
            f"B10-adam-perfect-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} Adam generalizes perfectly on sets that are not separable: "
            "the accuracy ends within 0.02 of 1.",
            mean_of(draws["final_gen_accuracy"], run).near(1.0, 0.02),
        )


@claims_of(
    "B10",
    statement="On separable sets Adam ends neither at the max-margin accuracy nor at 1.",
    source=paper_b("App. F.2"),
)
def adam_margin(evidence: Evidence) -> Iterator[Claim]:
    """Compare their final accuracy with both, by λ."""
    query = "lambda_ > 0.5 and separable"
    for run, draws in _draws(evidence, "adam", "separability", query):
        lambda_, final = run.parameters["lambda"], draws["final_gen_accuracy"]
        yield Claim(
            f"B10-adam-margin-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} Adam ends at another solution than the max-margin one: its "
            "accuracy on separable sets differs from Φ(1/(σM)) by at least 0.02.",
            mean_of(np.abs(final - draws["limit"]), run).at_least(0.02),
        )
        yield Claim(
            f"B10-adam-imperfect-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} Adam's accuracy on separable sets stays below 1 too (at most "
            "0.999).",
            mean_of(final, run).at_most(0.999),
        )


_STARTS = {
    "B11": ("s0_norm", "From ‖S₀‖ = {:g}", paper_b("App. F.3")),
    "B12": ("b0", "From b₀ = {:g}", paper_b("App. F.3")),
    "B13": ("lambda", "At λ = {:g}, with the exponential loss", paper_b("App. F.4")),
}


@claims_of(
    "B11",
    "B12",
    "B13",
    statement="Initial conditions and loss change the way, not the end: ‖S‖ tends to ‖S_∞‖.",
    source=paper_b("Sec. 3.3 / v2 Prop. 3.2(i)"),
)
def end(evidence: Evidence) -> Iterator[Claim]:
    """Compare the final ‖S‖ of sets that are not separable with their ‖S_∞‖."""
    key, words, source = _STARTS[evidence.figure]
    query = "lambda_ < 0.5 and not separable"
    for run, draws in _draws(evidence, "dynamics", "separability", query):
        value = run.parameters[key]
        yield Claim(
            f"{evidence.figure}-end-{key}-{value:g}",
            f"{words.format(value)}, ‖S‖ comes to the sets' ‖S_∞‖, the same whatever the start: "
            f"within 10 % at t = {run.parameters['t_max']:.0e} (measured: their ratio).",
            geometric_mean_of(draws["final_weight_norm"] / draws["norm"], run).within(1.0, 0.1),
            note="The last soft directions settle as a small power of t, the more slowly the "
            "closer λ is to ½.",
            source=source,
        )


@claims_of(
    "B15",
    statement="Other symmetric laws show the same delay below ½.",
    source=paper_b("ICML App. G"),
)
def delay_of_other_laws(evidence: Evidence) -> Iterator[Claim]:
    """Count the draws whose generalization takes twice as long as their training."""
    for run in evidence.runs("dynamics", keep=lambda p: p["lambda"] < CRITICAL):
        lambda_, law = run.parameters["lambda"], run.parameters["law"]
        later = run.scalars["t_gen"] > 2 * run.scalars["t_train"]
        yield Claim(
            f"B15-delay-{law}-lambda-{lambda_:g}",
            f"{law.capitalize()} inputs at λ = {lambda_:g} grok too: generalization takes more "
            "than twice as long as training in at least 40 % of draws.",
            proportion_of(later, run).at_least(0.4, 1.0),
        )
