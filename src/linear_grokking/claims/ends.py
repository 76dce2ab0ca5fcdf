"""Claims on how logistic classification ends: Paper B's Figs. 1, 2, 11 to 13 and 15."""

from collections.abc import Iterator

import numpy as np
from scipy.special import ndtr

from linear_grokking.claims.draws import column, draws_of, slopes_in_log_time
from linear_grokking.claims.measuring import (
    extremes_of,
    furthest,
    geometric_mean_of,
    mean_of,
    slope_of,
)
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, ours, paper_b
from linear_grokking.figures.separability_panels import CRITICAL
from linear_grokking.theory import margin


def _from_one(ratio: float) -> float:
    return abs(ratio - 1.0)


_FINAL = ("final_dynamics", "final_separability")
_ABOVE = 0.6
"""From this λ on, hardly any set of 400 points has a margin near 0.  With such a margin the run
would be too short for the long-time laws."""
_UNIQUE_MINIMUM = paper_b("Sec. 3.3 / v2 Props. 3.2(i) and 3.3")
_LIMIT_ABOVE = paper_b("v1 Eq. 13 and App. G / v2 Prop. 3.2(ii)")
_LOG_LAW = paper_b("v1 Eq. 12 and App. G, Eqs. 56-59 / v2 Thm. 1")


@claims_of(
    "B1",
    statement="Training on sets that are not separable ends at perfect generalization.",
    source=_UNIQUE_MINIMUM,
)
def perfect_below(evidence: Evidence) -> Iterator[Claim]:
    """Take the accuracy of each draw when training ends."""
    below = draws_of(evidence, *_FINAL, "lambda_ <= 0.42 and not separable")
    runs = [run for run, _ in below]
    yield Claim(
        "B1-perfect-below",
        "For λ ≤ 0.42 training on every set that is not separable ends at perfect generalization: "
        f"at t = {runs[0].parameters['t_max']:.0e} the generalization accuracy is at least 0.99 "
        "(measured: mean, smallest and largest).",
        extremes_of(column(below, "final_gen_accuracy"), *runs).at_least(0.99, 1.0),
    )


@claims_of("B1", statement="The accuracy tends to Φ(1/(σM)) above λ = ½.", source=_LIMIT_ABOVE)
def margin_accuracy(evidence: Evidence) -> Iterator[Claim]:
    """Compare each set's final accuracy with its own limit, and that with the large-size limit."""
    above = draws_of(evidence, *_FINAL, f"lambda_ >= {_ABOVE}")
    runs = [run for run, _ in above]
    yield Claim(
        "B1-slow-approach",
        f"For λ ≥ {_ABOVE} the generalization accuracy tends to Φ(1/(σM)), M the margin of the "
        f"set: at t = {runs[0].parameters['t_max']:.0e} it is there within 0.01 (measured: the "
        "mean difference).",
        mean_of(column(above, "limit") - column(above, "final_gen_accuracy"), *runs).near(0, 0.01),
        note="The remaining difference closes only as 1/log t.",
    )
    deviations = (
        mean_of(
            draws["limit"]
            - margin.limit_gen_accuracy(run.parameters["lambda"], run.parameters["sigma"]),
            run,
        )
        for run, draws in above
    )
    yield Claim(
        "B1-margin-accuracy",
        f"For λ ≥ {_ABOVE} the limit Φ(1/(σM)) of the generalization accuracy is that with the "
        "large-size margin, within 0.04 (measured: the mean deviation furthest from 0 over λ; the "
        "mean at one λ scatters by 0.014).",
        furthest(deviations, distance=abs).near(0.0, 0.04),
        source=ours("large-size limit; the limits are computed from the sets' margins"),
    )


@claims_of(
    "B1",
    statement="Above λ = ½ weights, bias and generalization loss grow with log t, with slopes that "
    "the margin gives.",
    source=_LOG_LAW,
)
def log_laws_above(evidence: Evidence) -> Iterator[Claim]:
    """Compare slopes over the second half of log t with those that the margin gives, at each λ."""
    above = draws_of(evidence, *_FINAL, f"lambda_ >= {_ABOVE} and separable")
    ratios: dict[str, list] = {"weight": [], "bias": [], "loss": []}
    closing = []
    for run, draws in above:
        margins = draws["margin"].to_numpy()
        weight, bias = margin.log_law_slopes(margins)
        spread = run.parameters["sigma"] * margins
        # L_gen = E[ℓ(σ‖S‖z + b)] and ℓ(f) → f₊, where f = (σMz - 1) log t/(1+M²).
        loss = spread * margin.normal_density(1 / spread) - ndtr(-1 / spread)
        laws = weight, bias, loss / (1 + margins**2)
        found = slopes_in_log_time(run, draws, "weight_norm", "bias", "gen_loss")
        for values, slope, law in zip(ratios.values(), found, laws, strict=True):
            values.append(mean_of(slope / law, run))
        ends = draws["final_bias"] / draws["final_weight_norm"]
        closing.append(mean_of(-ends * margins, run))
    for name, words, tolerance, source in (
        ("weight", "‖S‖ grows as M/(1+M²) log t", 0.05, _LOG_LAW),
        ("bias", "b falls as -log t/(1+M²)", 0.05, _LOG_LAW),
        (
            "loss",
            "the generalization loss diverges as E[(σMz-1)₊]/(1+M²) log t",
            0.05,
            paper_b("Sec. 3.3, v2 contributions (it diverges); slope ours"),
        ),
    ):
        yield Claim(
            f"B1-log-slope-{name}-above",
            f"On separable sets (λ ≥ {_ABOVE}) {words}, M the margin of the set: the slope over "
            f"the second half of log t is the predicted one within {100 * tolerance:.0f} % "
            "(measured: the mean ratio of the two furthest from 1, over λ).",
            furthest(ratios[name], _from_one).within(1.0, tolerance),
            source=source,
        )
    yield Claim(
        "B1-ratio-above",
        f"On separable sets (λ ≥ {_ABOVE}) |b|/‖S‖ tends to 1/M, M the margin of the set: when "
        "training ends it is between 0.85 and 1 times 1/M (measured: the mean ratio furthest from "
        "1, over λ).",
        furthest(closing, _from_one).between(0.85, 1.0, 1.0),
        note="The remaining difference closes as 1/log t.",
    )


_EXACT_LOSS = paper_b("v1 App. E.3 (for the two-point model); for N points ours")


@claims_of("B1", statement="The training loss falls as 1/(ηt).", source=_EXACT_LOSS)
def training_loss(evidence: Evidence) -> Iterator[Claim]:
    """Take ηt L_tr when training ends, on sets with and without a margin."""
    for query, name, words, law in (
        ("not separable", "below", "sets that are not separable", "1"),
        ("separable", "above", "separable sets of margin M", "1/(1+M²)"),
    ):
        draws = draws_of(evidence, *_FINAL, query)
        products = [
            each["final_train_loss"]
            * (run.parameters["eta"] * run.parameters["t_max"])
            * (1 if name == "below" else 1 + each["margin"] ** 2)
            for run, each in draws
        ]
        yield Claim(
            f"B1-train-loss-{name}",
            f"On {words}, ηt times the training loss tends to {law} at every λ: within 2 % in "
            f"every draw at t = {draws[0][0].parameters['t_max']:.0e} (measured: mean, smallest "
            f"and largest ratio of ηt L_tr to {law}).",
            extremes_of(np.concatenate(products), *(run for run, _ in draws)).within(1.0, 0.02),
        )


@claims_of("B1", statement="Below λ = ½ the bias falls as -log t.", source=_UNIQUE_MINIMUM)
def bias_slope(evidence: Evidence) -> Iterator[Claim]:
    """Fit the slope of the bias in log t at late times."""
    for run in evidence.runs("dynamics", keep=lambda p: p["lambda"] < CRITICAL):
        lambda_ = run.parameters["lambda"]
        steps, bias = run.curves("bias")
        late = steps >= steps[-1] / 1e4
        slopes = [slope_of(np.log(steps[late]), each[late]).value for each in bias]
        yield Claim(
            f"B1-bias-slope-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} the bias falls as -log t at late times: its slope in log t over "
            "the last four decades is -1, within 10 %.",
            mean_of(slopes, run).within(-1.0, 0.1),
            source=paper_b("v1 Eq. 7 with Sec. 3.3 (w_SVM = (0, -1)); v2 Thm. 1"),
        )


_LOG_LAWS = (("weight", "‖S‖", "M/(1+M²)"), ("bias", "b", "-1/(1+M²)"))


@claims_of(
    "B2",
    statement="On separable sets ‖S‖ and b grow as log t, with slopes that the margin gives.",
    source=_LOG_LAW,
)
def log_slope(evidence: Evidence) -> Iterator[Claim]:
    """Compare slopes over the second half of log t with those that the margin gives."""
    query = f"lambda_ >= {CRITICAL} and separable"
    for run, draws in draws_of(evidence, "with_bias", "separability", query):
        lambda_ = run.parameters["lambda"]
        laws = margin.log_law_slopes(draws["margin"].to_numpy())
        slopes = slopes_in_log_time(run, draws, "weight_norm", "bias")
        for (name, letter, words), law, slope in zip(_LOG_LAWS, laws, slopes, strict=True):
            yield Claim(
                f"B2-log-slope-{name}-lambda-{lambda_:g}",
                f"On a separable set of margin M (λ = {lambda_:g}) {letter} is {words} times log t "
                "at late times: the slope over the second half of log t, up to "
                f"t = {run.parameters['t_max']:.0e}, is {words} within 10 % (measured: their "
                "ratio).",
                extremes_of(slope / law, run).within(1.0, 0.1),
                note="Corrections decrease only with log t.",
            )


_STARTS = {
    "B11": ("s0_norm", "From ‖S₀‖ = {:g}"),
    "B12": ("b0", "From b₀ = {:g}"),
    "B13": ("lambda", "At λ = {:g}, with the exponential loss"),
}


@claims_of(
    "B11",
    "B12",
    "B13",
    statement="‖S‖ tends to ‖S_∞‖ from any initial condition and with either loss.",
    source=paper_b("Sec. 3.3 / v2 Prop. 3.2(i) (unique minimum); figures of Apps. F.3 and F.4"),
)
def end(evidence: Evidence) -> Iterator[Claim]:
    """Compare the final ‖S‖ of sets that are not separable with their ‖S_∞‖."""
    key, words = _STARTS[evidence.figure]
    query = "lambda_ < 0.5 and not separable"
    for run, draws in draws_of(evidence, "dynamics", "separability", query):
        value = run.parameters[key]
        yield Claim(
            f"{evidence.figure}-end-{key}-{value:g}",
            f"{words.format(value)}, on sets that are not separable, ‖S‖ tends to ‖S_∞‖, which "
            f"does not depend on the start: within 10 % at t = {run.parameters['t_max']:.0e} "
            "(measured: the ratio of the two).",
            geometric_mean_of(draws["final_weight_norm"] / draws["norm"], run).within(1.0, 0.1),
            note="S settles last along soft directions, as a small power of t and the more slowly "
            "the closer λ is to ½.",
        )
