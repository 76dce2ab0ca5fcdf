"""Claims on Paper A's formulas alone: the phase diagrams (A4) and the late times (A1, A6)."""

from collections.abc import Iterator

import pandas as pd

from linear_grokking.claims.measuring import furthest, interpolated
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, Measurement, Undecidable, ours, paper_a
from linear_grokking.theory import linear, linear_late_time
from linear_grokking.theory.linear_grokking_time import grokking_time


@claims_of(
    "A1", statement="Δt tends to log(1/q)/(2ηq²) for small ε.", source=paper_a("Sec. 3.1.3, Eq. 12")
)
def small_epsilon(evidence: Evidence) -> Iterator[Claim]:
    """Compare them at the figure's thresholds, and far below them."""
    runs = evidence.runs("dynamics", keep=lambda p: p["lambda"] < 1)
    parameters = max(runs, key=lambda run: run.parameters["lambda"]).parameters
    lambda_ = parameters["lambda"]
    problem = linear.Problem(lambda_, parameters["eta"])
    formula = linear_late_time.small_epsilon_delay(problem)

    def over_formula(epsilon: float) -> Measurement:
        time = grokking_time(problem, epsilon, accuracy=evidence.threshold)
        return Measurement.exact(time / formula)

    for epsilon in (1e-3, 1e-6):
        yield Claim(
            f"A1-small-epsilon-{epsilon:g}",
            f"At λ = {lambda_:g} and ε = {epsilon:g} the grokking time is log(1/q)/(2ηq²), "
            "q = 1-√λ, within 10 % (measured: true time over formula).",
            over_formula(epsilon).within(1.0, 0.1),
            note="The formula is right in the limit ε → 0 alone, which is approached only "
            "logarithmically, because both losses carry powers of t beside their exponential.",
            source=paper_a("Eq. for Δt at small ε (drawn in Fig. 1)"),
        )
    yield Claim(
        "A1-small-epsilon-limit",
        f"The formula is the limit ε → 0: true time over formula at λ = {lambda_:g} is within "
        "10 % of 1 at ε = 1e-24.",
        over_formula(1e-24).within(1.0, 0.1),
        source=paper_a("Eq. for Δt at small ε"),
    )


def _smallest(ratio: pd.Series) -> Measurement:
    if ratio.empty:
        raise Undecidable("the diagram has no such d_out with a wait of over 100 steps")
    return Measurement.exact(ratio.min())


@claims_of("A4", statement="Δt(γ) ≥ Δt(0) holds for one output, and not in general.", source=ours())
def decay_delays(evidence: Evidence) -> Iterator[Claim]:
    """Take the smallest ratio in the diagram."""
    rows = evidence.rows("gamma_d_out")
    lines = rows.pivot(index="y", columns="x", values="z").sort_index(axis=1)
    # Where the accuracy is at its threshold from the start there is no wait to change.
    lines = lines[lines.iloc[:, 0] > 100.0]
    ratio = lines.min(axis=1) / lines.iloc[:, 0]
    yield Claim(
        "A4-decay-delays-always",
        "For any number of outputs weight decay only delays: the smallest Δt(γ)/Δt(0) over all "
        "d_out with Δt(0) > 100 steps is at least 0.99.",
        _smallest(ratio).at_least(0.99),
        note="For several outputs an intermediate γ shortens the wait: decay of the slow modes "
        "helps before the floor hurts.",
        source=paper_a("Sec. 3.3 (read as general)"),
    )
    yield Claim(
        "A4-decay-delays-single-output",
        "For one output, weight decay only delays: the smallest Δt(γ)/Δt(0) is at least 0.99.",
        _smallest(ratio[ratio.index == 1]).at_least(0.99),
        source=paper_a("Sec. 3.3"),
    )


@claims_of(
    "A4",
    statement="Above λ = 1 many outputs pass the accuracy's threshold all the same.",
    source=ours(),
)
def above_one(evidence: Evidence) -> Iterator[Claim]:
    """Look at how much is coloured above λ = 1, and from where on."""
    above = evidence.rows("d_out_lambda").query("y > 1")
    if above.empty:
        raise Undecidable("the diagram ends below λ = 1")
    yield Claim(
        "A4-above-one-never",
        "Above λ = 1 generalization never comes: the coloured fraction of the (d_out, λ) diagram "
        "there is below 1 %.",
        Measurement.exact(above["z"].notna().mean()).between(0.0, 0.01, 0.0),
        note="The loss stops at (1-1/λ)/d_out; from d_out of about (1-1/λ)/ε on that is small "
        f"enough for {evidence.percent} accuracy.",
        source=paper_a("Sec. 3 and Fig. 4"),
    )
    reached = above.dropna(subset="z")
    if reached.empty:
        raise Undecidable("the diagram has no colour above λ = 1")
    lambda_ = reached["y"].max()
    edge = reached.loc[reached["y"] == lambda_, "x"].min()
    yield Claim(
        "A4-above-one-edge",
        f"At λ = {lambda_:.3g} the diagram is coloured from d_out = (1-1/λ)/ε on, within 20 %.",
        Measurement.exact(edge * evidence.options["epsilon"] / (1 - 1 / lambda_)).within(1.0, 0.2),
        source=ours(),
    )


@claims_of(
    "A6", statement="The late-time forms give the generalization loss.", source=paper_a("App. B")
)
def late_time_forms(evidence: Evidence) -> Iterator[Claim]:
    """Take the ratios of the paper's simplest form, and of the sharper one, to the exact loss."""
    note = (
        "L_gen = L_tr/q² puts all modes at the spectrum's edge, which is right for 4ηq²t ≫ 1 "
        "only: where both losses are far below any threshold of the figures."
    )
    paper = ("the paper's simplest late-time form, L_tr/q²", paper_a("late times"), note)
    sharper = ("the integral of the late-time training loss", ours(), "")
    for step in (1e3, 1e4):
        for slug, (form, source, note) in (("late-paper", paper), ("late", sharper)):
            rows = evidence.rows("loss_ratio", f"generalization_{slug.replace('-', '_')}")
            yield Claim(
                f"A6-generalization-{slug}-{step:g}",
                f"At t = {step:g} the generalization loss is {form}: its ratio to the exact one is "
                "1 within 10 %.",
                Measurement.exact(interpolated(rows, step, logarithmic=True)).within(1.0, 0.1),
                note=note,
                source=source,
            )


@claims_of("A6", statement="Δt from the sharper late-time forms is good to 2 %.", source=ours())
def late_time_delay(evidence: Evidence) -> Iterator[Claim]:
    """Take the ratio furthest from 1."""
    ratios = evidence.rows("grokking_time_ratio", "late_time").query("x >= 0.5")["y"].dropna()
    if ratios.empty:
        raise Undecidable("the curve has no λ of 0.5 or more")
    yield Claim(
        "A6-late-time-delay",
        "For λ ≥ 0.5 the grokking time from the late-time forms is the exact one within 2 %, "
        "at each of the figure's ε.",
        furthest(map(Measurement.exact, ratios)).within(1.0, 0.02),
    )
