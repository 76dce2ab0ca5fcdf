"""Claims on the two-point model: Paper B's Figs. 3, 4 and 8, and Table 1."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.special import ndtr

from linear_grokking.claims.measuring import furthest, interpolated, median_of, slope_of
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, Measurement, ours, paper_b
from linear_grokking.figures.b8 import root_log_ratios
from linear_grokking.theory.two_point import TwoPoint, settled_conformal_delay
from linear_grokking.theory.two_point_long_times import critical_state
from linear_grokking.theory.two_point_solution import solution
from linear_grokking.theory.two_point_times import log_grokking_ratio, log_time_to_gen_accuracy

SLOPE = 1 / np.sqrt(2)
_LAWS = {"constant": "S_∞", "log_t": "the factor of log t", "log_log_t": "the factor of log log t"}


def _problem(evidence: Evidence, distance: float | np.ndarray, sigma: float) -> TwoPoint:
    """Return the two-point model with the figure's learning rate and start."""
    return TwoPoint(distance, sigma, *(evidence.options[key] for key in ("eta", "s0", "b0")))


@claims_of(
    "BT1",
    statement="The two-point model's long-time laws in the paper's Table 1 hold.",
    source=paper_b("Table 1 and App. E.2"),
)
def long_time_laws(evidence: Evidence) -> Iterator[Claim]:
    """Compare each row with integration to the longest time."""
    latest = evidence.table["t_max"].max()
    for (panel, series, lambda_), rows in evidence.table.groupby(["panel", "series", "x"]):
        predicted = rows.loc[rows["source"] == "theory", "y"].iloc[0]
        measured = rows.loc[rows["t_max"] == latest, "y"].iloc[0]
        slow = panel == "log_log_t"
        tolerance = 0.15 if slow else 0.02
        letter = {"weight": "S", "bias": "b"}[series]
        yield Claim(
            f"BT1-{series}-lambda-{lambda_:g}",
            f"The two-point model's long-time law of {letter} at λ = {lambda_:g} holds at "
            f"t = {latest:.0e}: {_LAWS[panel]} is as predicted, within {tolerance}.",
            Measurement.exact(measured).near(predicted, tolerance),
            note="At λ = ½ corrections of order log log t / log t remain." if slow else "",
        )


@claims_of(
    "B8",
    statement="In the two-point model √log(t*_gen/t*_tr) against |log(1-2λ)| has slope 1/√2 where "
    "S has settled.",
    source=paper_b("v1 Sec. 4.1"),
)
def square_root_slope(evidence: Evidence) -> Iterator[Claim]:
    """Fit the slope in the figure, closer to ½, and at small σ."""
    fit = evidence.rows("slope", "fit").iloc[0]
    smallest = evidence.options["fit_sigma"]
    yield Claim(
        "B8-slope",
        f"In the two-point model with σ ≥ {smallest:g} and settled S, √log(t*_gen/t*_tr) against "
        "|log(1-2λ)| has slope 1/√2, within 5 %.",
        Measurement.exact(fit["y"]).within(SLOPE, 0.05),
        source=paper_b("v1 Eqs. 16, 44, Fig. 4 right and Fig. 8 / v2 Eq. 39, Fig. 9"),
    )
    near_edge, nearer = np.geomspace(3e-4, 0.03, 9), np.geomspace(1e-6, 1e-5, 9)
    settled = "1/√2, within 5 %, as S has settled."
    unsettled = "less than half of 1/√2, as S has not settled, which takes σ²(1-2λ) log(ηt) ≳ 4."
    for name, sigma, gaps, words in (
        ("inside", smallest, near_edge, settled),
        ("closer", smallest, nearer, unsettled),
        ("small-sigma", 1.0, near_edge, unsettled),
    ):
        ratio = log_grokking_ratio(evidence.loss_threshold, _problem(evidence, gaps, sigma))
        slope = Measurement.exact(slope_of(-np.log(gaps), np.sqrt(ratio)).value)
        yield Claim(
            f"B8-slope-{name}",
            f"In the two-point model at σ = {sigma:g} and 1-2λ from {gaps[0]:.0e} to "
            f"{gaps[-1]:.0e}, √log(t*_gen/t*_tr) against |log(1-2λ)| has a slope of {words}",
            slope.within(SLOPE, 0.05) if words is settled else slope.at_most(SLOPE / 2),
            source=paper_b("Sec. 4.1 (its condition: σ large enough); bound ours"),
        )


@claims_of(
    "B8",
    statement="In the two-point model generalization lags by log²(1-2λ)/η in conformal time.",
    source=paper_b("v1 Eq. 46 / v2 Eq. 41"),
)
def conformal_constant(evidence: Evidence) -> Iterator[Claim]:
    """Compare the delay's multiple of log²(1-2λ)/η, close to λ = ½, with 1 and with ½."""
    eta, gap = evidence.options["eta"], 1e-12
    share = settled_conformal_delay((1 - gap) / 2, eta) * eta / np.log(gap) ** 2
    reason = (
        "The paper, whose formula has no η, sets b = -τ, that is ηC_∞ = 1.  But C_∞ tends to ½, "
        "and the delay is |b|/(ηC_∞)."
    )
    for value, words, source, note in (
        (1.0, "log²(1-2λ)/η", ours("Paper B, v1 Eq. 46 / v2 Eq. 41 corrected"), ""),
        (0.5, "log²(1-2λ)/(2η)", paper_b("v1 App. E.3, Eq. 46 / v2 Eq. 41: ½ log²(1-2λ)"), reason),
    ):
        yield Claim(
            f"B8-conformal-{value:g}",
            "In the two-point model near λ = ½ generalization lags training in conformal time by "
            f"{words}, within 10 % (measured: the delay over log²(1-2λ)/η at 1-2λ = 1e-12).",
            Measurement.exact(share).within(value, 0.1),
            note=note,
            source=source,
        )


@claims_of(
    "B8",
    statement="In the full model log(t*_gen/t*_tr) grows as a power of 1/(1-2λ).",
    source=ours("large-size limit"),
)
def full_model(evidence: Evidence) -> Iterator[Claim]:
    """Fit the large-size curve, and compare a run with it."""
    curve = evidence.rows("root_log_ratio", "large_size")
    near_edge = curve[curve["x"] >= curve["x"].median()]
    yield Claim(
        "B8-full-model-slope",
        "√log(t*_gen/t*_tr) of the full model at large N has the slope 1/√2 against |log(1-2λ)|, "
        "too, within 20 % (fitted over the half of the figure's curve that is nearer to λ = ½).",
        Measurement.exact(slope_of(near_edge["x"], near_edge["y"]).value).within(SLOPE, 0.2),
        note="The paper's expectation rests on a logarithmic ‖S_∞‖; that of N points diverges as "
        "1/√(1-2λ), and log(t*_gen/t*_tr) as 0.857/(1-2λ), which is no straight line against "
        "|log(1-2λ)|.",
        source=paper_b("v1 Sec. 4.1 (on condition of a logarithmic ‖S_∞‖); not seen in v2"),
    )
    run = min(evidence.runs("full"), key=lambda run: run.parameters["lambda"])
    lambda_, n_train = run.parameters["lambda"], run.parameters["n_train"]
    predicted = interpolated(curve, -np.log(1 - 2 * lambda_))
    yield Claim(
        "B8-full-model-ratio",
        f"√log(t*_gen/t*_tr) of the full model at λ = {lambda_:g}, N = {n_train} is that of the "
        "large-size limit, within 10 % (measured: the median).",
        median_of(root_log_ratios(run), run).within(predicted, 0.1),
        source=ours("large-size limit"),
    )


@claims_of(
    "B3",
    statement="In the two-point model the time to generalization grows without bound only where "
    "both λ → ½ and σ → ∞.",
    source=paper_b("Sec. 3.4 and Fig. 3"),
)
def both_limits_needed(evidence: Evidence) -> Iterator[Claim]:
    """Change σ alone, the distance alone, and both."""

    def change(before: tuple[float, float], after: tuple[float, float]) -> Measurement:
        """Return how much ln t changes from one (σ, 1-2λ) to another."""
        sigma, gap = np.array([before, after]).T
        log_time = log_time_to_gen_accuracy(evidence.threshold, _problem(evidence, gap, sigma))
        return Measurement.exact(abs(log_time[1] - log_time[0]))

    yield Claim(
        "B3-sigma-alone",
        f"In the two-point model at fixed 1-2λ = 0.1 the time t to {evidence.percent} accuracy "
        "stays finite as σ grows: from σ = 100 to 1000 it changes by less than a factor of 1.5 "
        "(measured: the change of ln t).",
        change((1e2, 0.1), (1e3, 0.1)).between(0.0, np.log(1.5), 0.0),
    )
    yield Claim(
        "B3-distance-alone",
        f"In the two-point model at fixed σ = 1 the time t to {evidence.percent} accuracy stays "
        "finite as λ → ½: from 1-2λ = 1e-3 to 1e-6 it changes by less than a factor of 1.5 "
        "(measured: the change of ln t).",
        change((1.0, 1e-3), (1.0, 1e-6)).between(0.0, np.log(1.5), 0.0),
    )
    yield Claim(
        "B3-both",
        f"In the two-point model the time t to {evidence.percent} accuracy grows if both σ → ∞ and "
        "λ → ½: from (σ, 1-2λ) = (10, 1e-2) to (100, 1e-4) by more than a factor of 10 (measured: "
        "the change of ln t).",
        change((10.0, 1e-2), (100.0, 1e-4)).at_least(np.log(10)),
    )
    below = evidence.rows("sigma_distance").query("y > 0")
    yield Claim(
        "B3-always-below",
        "In the two-point model below λ = ½ the generalization accuracy reaches "
        f"{evidence.percent} at every σ: it does on a fraction 1 of that half of Fig. 3's map.",
        Measurement.exact(below["z"].notna().mean()).near(1.0, 0.0),
        source=paper_b("Secs. 3.3 and 4"),
    )


@claims_of(
    "B4",
    statement="The two-point and the full model end on the same side of the accuracy's threshold.",
    source=paper_b("v1 Sec. 4 and Fig. 4 / v2 Fig. 8 (remarkably similar); criterion ours"),
)
def same_side(evidence: Evidence) -> Iterator[Claim]:
    """Compare both models' limits at each λ."""
    points = evidence.rows("accuracy", "limit").query("model == 'two_point'")
    large = evidence.rows("accuracy", "large_size_limit").query("model == 'logistic'")
    ends = [each.groupby("lambda")["y"].first() for each in (points, large)]
    for lambda_, two_points, full in pd.concat(ends, axis=1).dropna().itertuples():
        two = Measurement.exact(two_points)
        above = full >= evidence.threshold
        differ = (
            "The accuracies differ in number: the two-point margin 2λ-1 exceeds the full model's, "
            "√(π/8)(2λ-1) near ½."
        )
        yield Claim(
            f"B4-limit-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} the generalization accuracy of the two-point model ends "
            f"{'above' if above else 'below'} {evidence.percent}, as that of the full model does "
            f"(large N: {full:.3g}).",
            (two.at_least if above else two.at_most)(evidence.threshold, full),
            note="" if above else differ,
        )


def _at_half(evidence: Evidence, distance: float, s0: float = 0.0) -> TwoPoint:
    """Return the problem of App. E: σ = 1, no initial bias."""
    return TwoPoint(distance, 1.0, evidence.options["eta"], s0, 0.0)


@claims_of(
    "BT1",
    statement="The closed forms of App. E.2 solve the two-point model's gradient flow.",
    source=paper_b("App. E.2 (A)-(C)"),
)
def closed_forms(evidence: Evidence) -> Iterator[Claim]:
    """Compare the closed forms with the exact orbit, at times up to 1e300."""
    log_t, eta = np.linspace(0.0, np.log(1e300), 60), evidence.options["eta"]
    start = 0.5
    flow = solution(log_t, _at_half(evidence, 1.0, start))
    decayed = np.tanh(start / 2) * np.exp(-eta * np.exp(flow.log_conformal_time))
    artanh = flow.weight - 2 * np.arctanh(decayed)
    half, critical = solution(log_t, _at_half(evidence, 0.0)), critical_state(log_t, eta)
    lambert = [np.max(np.abs(ours - theirs)) for ours, theirs in zip(half, critical, strict=False)]
    form = "S = log(1+W), b = -W - log(1+W), Lambert's W = W(ηt/2)"
    for slug, words, worst, where in (
        ("0", "λ = 0, S = 2 artanh(tanh(S₀/2) e^(-ητ))", artanh, "App. E.2 (A)"),
        ("0.5", f"λ = ½, {form},", lambert, "App. E.2 (B), Eq. 36"),
    ):
        yield Claim(
            f"BT1-closed-form-lambda-{slug}",
            f"In the two-point model at {words} is the solution of gradient flow up to t = 1e300, "
            "within 1e-9 (measured: the largest difference).",
            Measurement.exact(np.max(np.abs(worst))).between(0.0, 1e-9, 0.0),
            source=paper_b(where),
        )
    end = solution(log_t[-1], _at_half(evidence, -1.0, evidence.options["s0"]))
    yield Claim(
        "BT1-accuracy-lambda-1",
        "In the two-point model at λ = 1, σ = 1 the generalization accuracy tends to Φ(1) = 0.841: "
        "within 0.001 at t = 1e300.",
        Measurement.exact(ndtr(-end.bias / end.weight)).near(ndtr(1.0), 1e-3),
        source=paper_b("App. E.2 (C)"),
    )


@claims_of(
    "BT1",
    statement="In the two-point model above λ = ½ the correction to S = M log t/(1+M²) is log log "
    "t.",
    source=paper_b("App. E.4"),
)
def subleading_term(evidence: Evidence) -> Iterator[Claim]:
    """Differentiate S - M log t/(1+M²) by log log t, early and late, at M = 1e-3."""
    margin = 1e-3
    problem = _at_half(evidence, -margin)

    def growth(log_t: float) -> Measurement:
        ends = log_t * np.exp([-1e-3, 1e-3])
        left = solution(ends, problem).weight - margin / (1 + margin**2) * ends
        return Measurement.exact((left[1] - left[0]) / 2e-3)

    yield Claim(
        "BT1-subleading-early",
        "In the two-point model with a margin M, S - M log t/(1+M²) grows as log log t while "
        "M log t ≪ 1: its slope in log log t at M = 1e-3, log t = 100 is 1, within 10 %.",
        growth(100.0).within(1.0, 0.1),
    )
    yield Claim(
        "BT1-subleading-late",
        "In the two-point model with a margin M, S - M log t/(1+M²) grows as log log t for ever: "
        "its slope in log log t at M = 1e-3, M log t = 100 is 1, within 10 %.",
        growth(100.0 / margin).within(1.0, 0.1),
        note="Once M log t ≫ 1 the flow follows e^(b-MS) alone, and the difference is a constant "
        "near log(1/M).",
    )


@claims_of(
    "B4",
    "B8",
    statement="The training loss falls as 1/(ηt), on separable sets of margin M as 1/((1+M²)ηt).",
    source=paper_b("v1 App. E.3"),
)
def training_loss(evidence: Evidence) -> Iterator[Claim]:
    """Take ηt L_tr of separable two-point runs, and the full model's times to a loss."""
    if evidence.figure == "B4":
        for run in evidence.runs("two_point", keep=lambda p: p["lambda"] > 0.5):
            lambda_, sigma = run.parameters["lambda"], run.parameters["sigma"]
            time = run.parameters["eta"] * run.parameters["t_max"]
            margin = sigma * (2 * lambda_ - 1)
            product = Measurement.exact(run.scalars["final_train_loss"].iloc[0] * time)
            yield Claim(
                f"B4-train-loss-lambda-{lambda_:g}",
                f"For two separable points (λ = {lambda_:g}) of margin M = {margin:g}, ηt times "
                "the training loss tends to 1/(1+M²): within 1 % when training ends.",
                product.within(1 / (1 + margin**2), 0.01),
            )
        return
    yield Claim(
        "B8-train-time",
        "In the full model the training loss reaches ε at t*_tr = 1/(ηε) for every λ < ½, within "
        "5 % (measured: the ratio of the median of t*_tr to 1/(ηε) furthest from 1, over λ).",
        furthest(
            median_of(run.scalars["t_train_loss"], run)
            / (1 / (run.parameters["eta"] * evidence.loss_threshold))
            for run in evidence.runs("full")
        ).within(1.0, 0.05),
    )
