"""Claims on the two-point model: Paper B's Figs. 3, 4 and 8, and Table 1."""

from collections.abc import Iterator

import numpy as np

from linear_grokking.claims.measuring import interpolated, median_of, slope_of
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, Measurement, ours, paper_b
from linear_grokking.theory.two_point import TwoPoint, settled_conformal_delay
from linear_grokking.theory.two_point_times import log_grokking_ratio, log_time_to_gen_accuracy

SLOPE = 1 / np.sqrt(2)
_LAWS = {"constant": "S_∞", "log_t": "the factor of log t", "log_log_t": "that of log log t"}


def _problem(evidence: Evidence, distance: float | np.ndarray, sigma: float) -> TwoPoint:
    """Return the two-point model with the start that the figure has."""
    return TwoPoint(distance, sigma, *(evidence.options[key] for key in ("eta", "s0", "b0")))


@claims_of(
    "BT1",
    statement="Each row of the paper's table holds at long times.",
    source=paper_b("Sec. 4, Table 1"),
)
def long_time_laws(evidence: Evidence) -> Iterator[Claim]:
    """Compare it with integration to the longest time."""
    latest = evidence.table["t_max"].max()
    for (panel, series, lambda_), rows in evidence.table.groupby(["panel", "series", "x"]):
        predicted = rows.loc[rows["source"] == "theory", "y"].iloc[0]
        measured = rows.loc[rows["t_max"] == latest, "y"].iloc[0]
        slow = panel == "log_log_t" or (series == "bias" and lambda_ == 0.5)
        tolerance = 0.15 if slow else 0.02
        letter = {"weight": "S", "bias": "b"}[series]
        yield Claim(
            f"BT1-{series}-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} the long-time law of {letter} holds at t = {latest:.0e}: "
            f"{_LAWS[panel]} is as predicted, within {tolerance}.",
            Measurement.exact(measured).near(predicted, tolerance),
            note="At λ = ½ corrections of order log log t / log t remain." if slow else "",
        )


@claims_of(
    "B8",
    statement="√log(t*_gen/t*_tr) against |log(1-2λ)| has slope 1/√2 where S has settled.",
    source=paper_b("v1 Sec. 4.1"),
)
def square_root_slope(evidence: Evidence) -> Iterator[Claim]:
    """Fit it in the figure, closer to ½, and at small σ."""
    fit = evidence.rows("slope", "fit").iloc[0]
    spread = 1.96 * (fit["y_high"] - fit["y"])
    smallest = evidence.options["fit_sigma"]
    yield Claim(
        "B8-slope",
        f"For σ ≥ {smallest:g} and settled S, √log(t*_gen/t*_tr) of the two-point model against "
        "|log(1-2λ)| has slope 1/√2, within 5 %.",
        Measurement(fit["y"], fit["y"] - spread, fit["y"] + spread, 0).within(SLOPE, 0.05),
        source=paper_b("Sec. 4.1, App. E.3 and Fig. 8"),
    )
    near_edge, nearer = np.geomspace(3e-4, 0.03, 9), np.geomspace(1e-6, 1e-5, 9)
    settled = "1/√2, within 5 %: S has settled."
    unsettled = "less than half of 1/√2: S has not settled, which takes σ²(1-2λ) log t ≳ 4."
    for name, sigma, gaps, words in (
        ("inside", smallest, near_edge, settled),
        ("closer", smallest, nearer, unsettled),
        ("small-sigma", 1.0, near_edge, unsettled),
    ):
        ratio = log_grokking_ratio(evidence.loss_threshold, _problem(evidence, gaps, sigma))
        slope = Measurement.exact(slope_of(-np.log(gaps), np.sqrt(ratio)).value)
        yield Claim(
            f"B8-slope-{name}",
            f"At σ = {sigma:g} and 1-2λ from {gaps[0]:.0e} to {gaps[-1]:.0e} the slope of "
            f"√log(t*_gen/t*_tr) is {words}",
            slope.within(SLOPE, 0.05) if words is settled else slope.at_most(SLOPE / 2),
            source=paper_b("Sec. 4.1 (its condition: σ large enough); bound ours"),
        )


@claims_of(
    "B8",
    statement="The delay in conformal time is log²(1-2λ)/η.",
    source=paper_b("v1 Eq. 46 / v2 Eq. 41"),
)
def conformal_constant(evidence: Evidence) -> Iterator[Claim]:
    """Compare its multiple of that close to ½ with 1, and with ½."""
    eta, gap = evidence.options["eta"], 1e-12
    share = settled_conformal_delay((1 - gap) / 2, eta) * eta / np.log(gap) ** 2
    reason = (
        "The paper takes the smallest loss C_∞ as 1; it tends to ½, and the delay divides by it."
    )
    for value, words, source, note in (
        (1.0, "log²(1-2λ)/η", ours("Paper B, Eq. 46 corrected"), ""),
        (0.5, "log²(1-2λ)/(2η)", paper_b("App. E.3, Eq. 46"), reason),
    ):
        yield Claim(
            f"B8-conformal-{value:g}",
            f"Near λ = ½ the delay in conformal time is {words}, within 10 % (measured: its "
            "multiple of log²(1-2λ)/η at 1-2λ = 1e-12).",
            Measurement.exact(share).within(value, 0.1),
            note=note,
            source=source,
        )


@claims_of(
    "B8",
    statement="In the full model the ratio of the times grows as a power of 1/(1-2λ).",
    source=ours("large-size limit"),
)
def full_model(evidence: Evidence) -> Iterator[Claim]:
    """Fit the large-size curve, and compare a run with it."""
    curve = evidence.rows("root_log_ratio", "large_size")
    near_edge = curve[curve["x"] >= curve["x"].median()]
    yield Claim(
        "B8-full-model-slope",
        "√log(t*_gen/t*_tr) of the full model for large N grows against |log(1-2λ)| with the slope "
        "1/√2 too, within 20 % (fitted over the nearer half of the figure's curve).",
        Measurement.exact(slope_of(near_edge["x"], near_edge["y"]).value).within(SLOPE, 0.2),
        note="The expectation rests on a logarithmic ‖S_∞‖; that of N points diverges as "
        "1/√(1-2λ), and the log ratio as 0.857/(1-2λ): no line against |log(1-2λ)|.",
        source=paper_b("Sec. 4.1 (expects both models to behave alike)"),
    )
    run = min(evidence.runs("full"), key=lambda run: run.parameters["lambda"])
    lambda_, n_train = run.parameters["lambda"], run.parameters["n_train"]
    root = np.sqrt(np.log(run.scalars["t_gen_loss"] / run.scalars["t_train_loss"]))
    predicted = interpolated(curve, -np.log(1 - 2 * lambda_))
    yield Claim(
        "B8-full-model-ratio",
        f"√log(t*_gen/t*_tr) of the full model at λ = {lambda_:g}, N = {n_train}, is that of the "
        "large-size limit within 10 %.",
        median_of(root, run).within(predicted, 0.1),
        source=ours("large-size limit"),
    )


@claims_of(
    "B3",
    statement="The time of generalization grows without bound only near λ = ½ and for large σ.",
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
        f"At fixed 1-2λ = 0.1 the time of {evidence.percent} accuracy stays finite as σ grows: "
        "from σ = 100 to 1000 it changes by less than a factor 1.5 (measured: the change of ln t).",
        change((1e2, 0.1), (1e3, 0.1)).between(0.0, np.log(1.5), 0.0),
    )
    yield Claim(
        "B3-distance-alone",
        f"At fixed σ = 1 the time of {evidence.percent} accuracy stays finite as λ → ½: from "
        "1-2λ = 1e-3 to 1e-6 it changes by less than a factor 1.5 (measured: the change of ln t).",
        change((1.0, 1e-3), (1.0, 1e-6)).between(0.0, np.log(1.5), 0.0),
    )
    yield Claim(
        "B3-both",
        "With both limits the time grows: from (σ, 1-2λ) = (10, 1e-2) to (100, 1e-4) by more "
        "than a factor 10 (measured: the change of ln t).",
        change((10.0, 1e-2), (100.0, 1e-4)).at_least(np.log(10)),
    )
    below = evidence.rows("sigma_distance").query("y > 0")
    yield Claim(
        "B3-always-below",
        f"Below λ = ½ the accuracy reaches {evidence.percent} at every σ: the reached fraction of "
        "that half of the map is 1.",
        Measurement.exact(below["z"].notna().mean()).near(1.0, 0.0),
        source=paper_b("Secs. 3.3 and 4"),
    )


@claims_of(
    "B4",
    statement="Both models end on the same side of the accuracy's threshold.",
    source=paper_b("Sec. 4 and Fig. 4"),
)
def same_side(evidence: Evidence) -> Iterator[Claim]:
    """Compare their limits at each λ."""
    limits = evidence.rows("accuracy", "limit").groupby(["lambda", "model"])["y"].first()
    for lambda_, ends in limits.unstack().dropna().iterrows():
        two, full = Measurement.exact(ends["two_point"]), ends["logistic"]
        above = full >= evidence.threshold
        differ = (
            "In numbers they differ: the two-point margin 2λ-1 exceeds the full model's, "
            "√(π/8)(2λ-1) near ½."
        )
        yield Claim(
            f"B4-limit-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} the two-point model ends as the full model does "
            f"(large N: {full:.3g}), {'above' if above else 'below'} {evidence.percent}.",
            (two.at_least if above else two.at_most)(evidence.threshold, full),
            note="" if above else differ,
        )
