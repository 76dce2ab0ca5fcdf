"""Claims on Paper A's late-time formulas: its Eq. 12 (A1), and its App. B (A6)."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.special import erf, ive

from linear_grokking.claims.measuring import furthest, interpolated
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import (
    Claim,
    Disagreement,
    Measurement,
    Undecidable,
    paper_a,
    paper_b,
)
from linear_grokking.theory import linear
from linear_grokking.theory import linear_late_time as late
from linear_grokking.theory.linear_grokking_time import grokking_time, train_time

LAMBDAS = np.array([0.5, 0.7, 0.9, 0.95])
"""The λ at which a formula of App. B is tested where several are needed."""
PAPERS_ACCURACY = float(erf(np.sqrt(2.0)))
"""Accuracy at the loss ε/4, by which App. B defines its times."""


@claims_of(
    "A1",
    statement="The grokking time Δt tends to log(1/q)/(2ηq²), q = 1-√λ, for small ε.",
    source=paper_a("Eq. 12 (limit ε → 0; App. B, Eq. 26, has the next order)"),
)
def small_epsilon(evidence: Evidence) -> Iterator[Claim]:
    """Compare the exact Δt with Eq. 12 at the figure's thresholds, and far below them."""
    runs = evidence.runs("dynamics", keep=lambda p: p["lambda"] < 1)
    parameters = max(runs, key=lambda run: run.parameters["lambda"]).parameters
    lambda_ = parameters["lambda"]
    problem = linear.Problem(lambda_, parameters["eta"])
    formula = late.small_epsilon_delay(problem)

    def over_formula(epsilon: float) -> Measurement:
        time = grokking_time(problem, epsilon, accuracy=evidence.threshold)
        return Measurement.exact(time / formula)

    for epsilon in (1e-3, 1e-6):
        yield Claim(
            f"A1-small-epsilon-{epsilon:g}",
            f"Eq. 12 is accurate at ε = {epsilon:g}, λ = {lambda_:g}: the grokking time is "
            "log(1/q)/(2ηq²), q = 1-√λ, within 10 % (tolerance ours; measured: exact time over "
            "formula).",
            over_formula(epsilon).within(1.0, 0.1),
            note="The formula is right in the limit ε → 0, which is approached only "
            "logarithmically, because both losses contain powers of t besides their exponential.",
            otherwise=Disagreement.RANGE,
        )
    yield Claim(
        "A1-small-epsilon-limit",
        "Eq. 12, log(1/q)/(2ηq²) with q = 1-√λ, is the limit of the grokking time for ε → 0: at "
        f"λ = {lambda_:g}, ε = 1e-24 exact time over formula is 1 within 10 %.",
        over_formula(1e-24).within(1.0, 0.1),
        source=paper_a("Eq. 12 and App. B (ε → 0)"),
    )


@claims_of(
    "A1",
    statement="Eq. 12 diverges quadratically, times a logarithm, for λ → 1.",
    source=paper_a("Sec. 3.1.3 (after Eq. 12)"),
)
def divergence(evidence: Evidence) -> Iterator[Claim]:
    """Evaluate Eq. 12 and the exact time close to λ = 1."""
    eta = evidence.runs("dynamics")[0].parameters["eta"]
    gaps = np.array([1e-2, 1e-3, 1e-4])
    formula = late.small_epsilon_delay(linear.Problem(1 - gaps, eta))
    limit = np.log(4 / gaps**2) / eta / gaps**2
    yield Claim(
        "A1-divergence",
        "The grokking time of Eq. 12 diverges as log(4/(1-λ)²)/(η(1-λ)²) for λ → 1: within 2 % "
        "at 1-λ = 1e-2, 1e-3 and 1e-4 (measured: the largest difference; tolerance ours).",
        furthest(map(Measurement.exact, formula / limit)).within(1.0, 0.02),
    )
    epsilon = min(evidence.options["epsilon"], key=lambda each: abs(np.log(each / 1e-3)))
    near = linear.Problem(1 - np.append(gaps, 0.0), eta)
    exact = grokking_time(near, epsilon, accuracy=evidence.threshold)
    yield Claim(
        "A1-divergence-at-fixed-epsilon",
        f"At ε = {epsilon:g}, too, the grokking time diverges as log(4/(1-λ)²)/(η(1-λ)²): at "
        "1-λ = 1e-4 it has this value within a factor of 2 (factor ours; measured: exact time "
        "over formula).",
        Measurement.exact(exact[2] / limit[2]).within(1.0, 1.0),
        note="Only the limit ε → 0 diverges; at this ε the time at λ = 1 is finite, "
        f"{exact[3]:.3g} steps: close to λ = 1 the growth ends once 4q²ηt is no longer large.",
        otherwise=Disagreement.RANGE,
    )
    yield Claim(
        "A1-divergence-logarithmic",
        "The grokking time of linear regression diverges logarithmically, as log(1-√λ): Paper A's "
        "Eq. 12 grows from 1-λ = 1e-2 to 1e-4 by the ratio of these logarithms, within a factor "
        "of 2 (factor ours).",
        Measurement.exact(formula[2] / formula[0]).within(
            np.log(1 - np.sqrt(1 - gaps[2])) / np.log(1 - np.sqrt(1 - gaps[0])), 1.0
        ),
        note="Eq. 12 divides the logarithm by 2η(1-√λ)², and so diverges much faster.",
        source=paper_b("v1 Sec. 4.1 and v2 Sec. 4 (of Paper A)"),
    )


@claims_of(
    "A6",
    statement="Paper A's late-time formulas give the losses.",
    source=paper_a("App. B, Eqs. 20 to 23, Fig. 6"),
)
def late_time_forms(evidence: Evidence) -> Iterator[Claim]:
    """Take the ratios of the paper's forms to the exact losses."""
    lambda_, eta = evidence.options["lambda"], evidence.options["eta"]
    steps = evidence.rows("loss", "train")["x"].to_numpy()
    exact = linear.train_loss(steps, linear.Problem(lambda_, eta))
    z = 8 * eta * steps * np.sqrt(lambda_)
    edge = (1 - np.sqrt(lambda_)) ** 2
    closed = np.exp(-4 * eta * edge * steps) * ive(1, z) / (z / 2)
    told = (exact >= np.finfo(float).tiny) & (z > 0)
    if not told.any():
        raise Undecidable("the table has no training loss")
    yield Claim(
        "A6-closed-form",
        "The training loss has the closed form of Eq. 9, e^{-4η(1+λ)t} I₁(z)/(z/2) with "
        "z = 8ηt√λ: closed form over exact loss is 1 within 1e-6 at every t of the figure "
        "(measured: the ratio furthest from 1).",
        furthest(map(Measurement.exact, closed[told] / exact[told])).within(1.0, 1e-6),
        source=paper_a("Sec. 3.1.1, Eq. 9 (₀F̃₁ regularized in the usual sense)"),
    )
    ratios = {
        series: [
            Measurement.exact(interpolated(rows, step, logarithmic=True)) for step in (1e3, 1e4)
        ]
        for series in ("generalization_late", "generalization_edge")
        for rows in [evidence.rows("loss_ratio", series)]
    }
    here = f"at λ = {lambda_:g}, t = 1e3 and 1e4"
    scale = " and ".join(f"{eta * step / np.sqrt(lambda_):.1f}" for step in (1e3, 1e4))
    words = f"{here} (ηt/√λ = {scale}) formula over exact loss is 1 within "
    yield Claim(
        "A6-generalization-eq-11",
        "η₀t ≫ √λ suffices for Eq. 11, by which the generalization loss is the training loss "
        f"over q², q = 1-√λ: {words}10 % (tolerance ours; measured: the larger difference).",
        furthest(ratios["generalization_edge"]).within(1.0, 0.1),
        note="Eq. 11 puts all modes at the edge of the spectrum, which is right only for "
        "4q²η₀t ≫ 1; the paper's Fig. 6 shows the gap, and its Eq. 23, which needs η₀t ≫ 1/√λ, "
        "does hold here.",
        source=paper_a("Sec. 3.1.3, Eq. 11 (stated for η₀t ≫ √λ)"),
    )
    yield Claim(
        "A6-generalization-eq-23",
        f"Eq. 23 gives the generalization loss: {words}1 % (tolerance ours; measured: the larger "
        "difference).",
        furthest(ratios["generalization_late"]).within(1.0, 0.01),
        source=paper_a("App. B, Eq. 23"),
    )
    few = linear.Problem(0.01, eta)
    step = 10.0 * np.sqrt(few.lambda_) / eta
    yield Claim(
        "A6-eq-23-condition",
        "η₀t ≫ √λ suffices for Eq. 23: at λ = 0.01, η₀t = 10√λ, formula over exact loss is 1 "
        "within 10 % (tolerance ours).",
        Measurement.exact(late.late_time_gen_loss(step, few) / linear.gen_loss(step, few)).within(
            1.0, 0.1
        ),
        note="The arguments of the Bessel function are large for η₀t ≫ 1/√λ, which is nearly the "
        "same only near λ = 1.",
        source=paper_a("App. B, Eqs. 22 and 23 (stated for η₀t ≫ √λ)"),
    )


@claims_of(
    "A6",
    statement="The grokking time Δt from Eqs. 22 and 23 is accurate to 2 %.",
    source=paper_a("App. B, Eqs. 22 to 24 with Eq. 23 kept (solving it is ours)"),
)
def late_time_delay(evidence: Evidence) -> Iterator[Claim]:
    """Take the ratio to the exact Δt that is furthest from 1."""
    ratios = evidence.rows("grokking_time_ratio", "late_time").query("x >= 0.5")["y"].dropna()
    if ratios.empty:
        raise Undecidable("the curve has no λ of 0.5 or more")
    yield Claim(
        "A6-late-time-delay",
        "For λ ≥ 0.5 the late-time losses of Eqs. 22 and 23 give the exact grokking time within "
        "2 %, at each ε of the figure (measured: the ratio furthest from 1).",
        furthest(map(Measurement.exact, ratios)).within(1.0, 0.02),
    )


@claims_of(
    "A6",
    statement="Lambert's W gives the times at which the late-time losses reach the threshold.",
    source=paper_a("App. B, Eqs. 24 to 26"),
)
def lambert(evidence: Evidence) -> Iterator[Claim]:
    """Compare with the exact times of the loss ε/4, at and around the figure's parameters."""
    lambda_, eta = evidence.options["lambda"], evidence.options["eta"]
    epsilon = max(evidence.options["epsilon"])
    at = {"accuracy": PAPERS_ACCURACY}

    def over_exact(of_lambda: float, of_epsilon: float) -> float:
        problem = linear.Problem(of_lambda, eta)
        times = late.lambert_times(problem, of_epsilon, **at)
        return (times.gen - times.train) / grokking_time(problem, of_epsilon, **at)

    columns = linear.Problem(np.append(LAMBDAS, 0.99)[:, np.newaxis], eta)
    thresholds = np.array([1e-2, 1e-3, 1e-4, 1e-6])
    trained = late.lambert_times(columns, thresholds, **at).train
    yield Claim(
        "A6-lambert-train-time",
        "Eq. 24, with Lambert's W, gives the time at which the training loss falls to ε/4, within "
        "1 %, for λ from 0.5 to 0.99 and ε from 1e-6 to 1e-2 (measured: the largest difference; "
        "tolerance ours).",
        furthest(
            map(Measurement.exact, np.ravel(trained / train_time(columns, thresholds, **at)))
        ).within(1.0, 0.01),
        source=paper_a("App. B, Eq. 24"),
    )
    for of_lambda, of_epsilon in ((lambda_, epsilon), (lambda_, 10 * epsilon), (0.99, epsilon)):
        yield Claim(
            f"A6-lambert-delay-lambda-{of_lambda:g}-epsilon-{of_epsilon:g}",
            "Eqs. 24 and 25, with Lambert's W, give the grokking time (delay between the two "
            f"losses' fall to ε/4) at λ = {of_lambda:g}, ε = {of_epsilon:g} within 15 % "
            "(tolerance ours).",
            Measurement.exact(over_exact(of_lambda, of_epsilon)).within(1.0, 0.15),
            note="Eq. 25 rests on Eq. 11, which needs 4q²ηt ≫ 1 when the threshold is reached: "
            "small ε, and λ not close to 1.",
            source=paper_a("App. B, Eqs. 24 and 25 (late times)"),
            otherwise=Disagreement.RANGE,
        )
    problem = linear.Problem(lambda_, eta)
    times = late.lambert_times(problem, epsilon, **at)
    w = np.array(times) * 8 * eta * (1 - np.sqrt(lambda_)) ** 2 / 3
    z_train, z_gen = w * np.exp(w)
    here = f"λ = {lambda_:g}, ε = {epsilon:g}"
    yield Claim(
        "A6-lambert-arguments",
        "In Eqs. 24 and 25 the arguments z of Lambert's W are large, so that W(z) ≈ log z: the "
        f"smaller one, z_tr, is above e at {here} (bound ours).",
        Measurement.exact(z_train).at_least(np.e),
        note="For z < 1 the logarithm is negative, while W is positive.",
        source=paper_a("App. B (between Eqs. 25 and 26)"),
    )
    yield Claim(
        "A6-expanded-is-real",
        f"The grokking time of Eq. 26 is real at {here}: the argument of its outer logarithm, "
        "log z_tr/log z_gen, is above 0.",
        Measurement.exact(np.log(z_train) / np.log(z_gen)).at_least(0.0),
        note="Eq. 26 is not real where z_tr < 1 < z_gen: there log z cannot replace W(z), and ε is "
        "not small enough for this expansion.",
        source=paper_a("App. B, Eq. 26 (for ε ≪ 1; parameters of Figs. 1 and 6)"),
        otherwise=Disagreement.RANGE,
    )
    columns = replace(columns, lambda_=LAMBDAS[:, np.newaxis])
    tiny = np.array([1e-6, 1e-9, 1e-12])
    exact = grokking_time(columns, tiny, **at)
    errors = [
        np.abs(np.log(formula / exact))
        for formula in (late.expanded_delay(columns, tiny, **at), late.small_epsilon_delay(columns))
    ]
    yield Claim(
        "A6-expanded-beats-limit",
        "For ε from 1e-12 to 1e-6 and λ from 0.5 to 0.95, Eq. 26 with its second term is more "
        "accurate than Eq. 12: the ratio of their errors in log Δt is below 1 (measured: the "
        "largest ratio).",
        Measurement.exact((errors[0] / errors[1]).max()).at_most(1.0),
        source=paper_a("App. B, Eq. 26"),
    )
