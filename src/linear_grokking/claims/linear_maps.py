"""Claims on Paper A's formulas alone: the phase diagrams (A4) and the late times (A1, A6)."""

from collections.abc import Iterator

import numpy as np

from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, Measurement, at_least, within
from linear_grokking.theory import linear_grokking_time, linear_late_time


@claims_of("A1")
def small_epsilon_formula(evidence: Evidence) -> Iterator[Claim]:
    """Δt ≈ log(1/q)/(2ηq²), at the figure's thresholds and far below them."""
    run = max(
        (r for r in evidence.runs("dynamics") if r.parameters["lambda"] < 1),
        key=lambda r: r.parameters["lambda"],
    )
    lambda_, eta = run.parameters["lambda"], run.parameters["eta"]
    formula = float(linear_late_time.small_epsilon_delay(lambda_, eta))
    ratios = {}
    for epsilon in (1e-3, 1e-6, 1e-24):
        time = linear_grokking_time.grokking_time(
            lambda_, eta, epsilon, d_out=1, accuracy=evidence.threshold
        )
        ratios[epsilon] = float(time / formula)
    for epsilon in (1e-3, 1e-6):
        yield Claim(
            f"A1-small-epsilon-{epsilon:g}",
            "A1",
            "Paper A, Eq. for Δt at small ε (drawn in Fig. 1)",
            f"At λ = {lambda_:g} and ε = {epsilon:g} the grokking time is log(1/q)/(2ηq²), "
            "q = 1-√λ, within 10 % (measured: true time over formula).",
            1.0,
            within(1.0, 0.1),
            Measurement.exact(ratios[epsilon]),
            note="The formula is right in the limit ε → 0 alone, which is approached only "
            "logarithmically, because both losses carry powers of t beside their exponential.",
        )
    yield Claim(
        "A1-small-epsilon-limit",
        "A1",
        "Paper A, Eq. for Δt at small ε",
        f"The formula is the limit ε → 0: true time over formula at λ = {lambda_:g} is within "
        "10 % of 1 at ε = 1e-24.",
        1.0,
        within(1.0, 0.1),
        Measurement.exact(ratios[1e-24]),
    )


@claims_of("A4")
def weight_decay_shortens(evidence: Evidence) -> Iterator[Claim]:
    """Δt(γ) ≥ Δt(0) is not general."""
    rows = evidence.rows("gamma_d_out")
    lines = rows.pivot(index="y", columns="x", values="z").sort_index(axis=1)
    # Where the accuracy is at its threshold from the start there is no wait to change.
    lines = lines[lines.iloc[:, 0] > 100.0]
    ratio = lines.min(axis=1) / lines.iloc[:, 0]
    single, several = ratio.iloc[0], ratio.iloc[1:]
    yield Claim(
        "A4-decay-delays-single-output",
        "A4",
        "Paper A, Sec. 3.3",
        "For one output, weight decay only delays: the smallest Δt(γ)/Δt(0) is at least 0.99.",
        np.nan,
        at_least(0.99),
        Measurement.exact(float(single)),
    )
    yield Claim(
        "A4-decay-delays-always",
        "A4",
        "Paper A, Sec. 3.3 (read as general)",
        "For any number of outputs weight decay only delays: the smallest Δt(γ)/Δt(0) over all "
        "d_out with Δt(0) > 100 steps is at least 0.99.",
        np.nan,
        at_least(0.99),
        Measurement.exact(float(several.min())),
        note="For several outputs an intermediate γ shortens the wait: decay of the slow modes "
        "helps before the floor hurts.",
    )


@claims_of("A4")
def reached_above_one(evidence: Evidence) -> Iterator[Claim]:
    """Not all of λ > 1 is white: many outputs pass the accuracy's threshold all the same."""
    rows = evidence.rows("d_out_lambda")
    d_out, lambda_ = "x", "y"
    above = rows[rows[lambda_] > 1]
    yield Claim(
        "A4-above-one-never",
        "A4",
        "Paper A, Sec. 3 and Fig. 4",
        "Above λ = 1 generalization never comes: the coloured fraction of the (d_out, λ) diagram "
        "there is below 1 %.",
        0.0,
        (0.0, 0.01),
        Measurement.exact(float(above["z"].notna().mean())),
        note="The loss stops at (1-1/λ)/d_out; from d_out of about (1-1/λ)/ε on that is small "
        "enough for 95 % accuracy.",
    )
    reached = above[above["z"].notna()]
    if len(reached):
        highest = reached.loc[reached[lambda_].idxmax()]
        epsilon = evidence.options["epsilon"]
        line = reached[reached[lambda_] == highest[lambda_]]
        edge = line[d_out].min() * epsilon / (1 - 1 / highest[lambda_])
        yield Claim(
            "A4-above-one-edge",
            "A4",
            "ours",
            f"At λ = {highest[lambda_]:.3g} the diagram is coloured from d_out = (1-1/λ)/ε on, "
            "within 20 %.",
            1.0,
            within(1.0, 0.2),
            Measurement.exact(float(edge)),
        )


@claims_of("A6")
def late_time_forms(evidence: Evidence) -> Iterator[Claim]:
    """Check the paper's simplest late-time form, and the sharper one."""
    for step, bound in ((1e3, 0.1), (1e4, 0.1)):
        for series, form, source, note in (
            (
                "generalization_late_paper",
                "the paper's simplest late-time form, L_tr/q²",
                "Paper A, late times",
                "L_gen = L_tr/q² puts all modes at the spectrum's edge, which is right for "
                "4ηq²t ≫ 1 only: where both losses are far below any threshold of the figures.",
            ),
            ("generalization_late", "the integral of the late-time training loss", "ours", ""),
        ):
            rows = evidence.rows("loss_ratio", series).sort_values("x")
            ratio = float(np.exp(np.interp(np.log(step), np.log(rows["x"]), np.log(rows["y"]))))
            yield Claim(
                f"A6-{series.replace('_', '-')}-{step:g}",
                "A6",
                source,
                f"At t = {step:g} the generalization loss is {form}: its ratio to the exact one is "
                f"1 within {100 * bound:.0f} %.",
                1.0,
                within(1.0, bound),
                Measurement.exact(ratio),
                note=note,
            )


@claims_of("A6")
def late_time_delay(evidence: Evidence) -> Iterator[Claim]:
    """Δt from the sharper late-time forms is good to 2 %."""
    rows = evidence.rows("grokking_time_ratio", "late_time").dropna(subset="y")
    rows = rows[rows["x"] >= 0.5]
    worst = rows["y"].iloc[np.argmax(np.abs(np.log(rows["y"])))]
    yield Claim(
        "A6-late-time-delay",
        "A6",
        "ours",
        "For λ ≥ 0.5 the grokking time from the late-time forms is the exact one within 2 %, "
        "at each of the figure's ε.",
        1.0,
        within(1.0, 0.02),
        Measurement.exact(float(worst)),
    )
