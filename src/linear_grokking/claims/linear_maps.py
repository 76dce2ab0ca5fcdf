"""Claims on the phase diagrams of Paper A's formulas (A4)."""

from collections.abc import Iterator

import pandas as pd

from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, Measurement, Undecidable, ours, paper_a


def _extreme(ratio: pd.Series) -> Measurement:
    if ratio.empty:
        raise Undecidable("the diagram has no such d_out with a wait of over 100 steps")
    return Measurement.exact(ratio.iloc[0])


@claims_of(
    "A4",
    statement="Weight decay can shorten the wait, and lengthen it.",
    source=paper_a("Sec. 2 (weight decay can suppress or enhance grokking)"),
)
def decay_delays(evidence: Evidence) -> Iterator[Claim]:
    """Take the smallest and the largest Δt(γ)/Δt(0) in the diagram."""
    rows = evidence.rows("gamma_d_out")
    lambda_ = rows["lambda"].iloc[0]
    lines = rows.pivot(index="y", columns="x", values="z").sort_index(axis=1)
    # Where the accuracy is at its threshold from the start, there is no wait to change.
    lines = lines[lines.iloc[:, 0] > 100.0]
    shortest = (lines.min(axis=1) / lines.iloc[:, 0]).sort_values()
    longest = (lines.max(axis=1) / lines.iloc[:, 0]).sort_values(ascending=False)
    where = f"over all d_out with Δt(0) > 100 steps, at λ = {lambda_:g}"
    yield Claim(
        "A4-decay-shortens",
        f"Weight decay can shorten the wait: the smallest Δt(γ)/Δt(0) {where} is below 0.9 "
        "(bound ours).",
        _extreme(shortest).at_most(0.9),
    )
    yield Claim(
        "A4-decay-lengthens",
        f"Weight decay can lengthen the wait: the largest Δt(γ)/Δt(0) {where} is above 1.1 "
        "(bound ours).",
        _extreme(longest).at_least(1.1),
    )
    yield Claim(
        "A4-decay-delays-always",
        "For any number of outputs weight decay only delays: the smallest Δt(γ)/Δt(0) "
        f"{where} is at least 0.99.",
        _extreme(shortest).at_least(0.99),
        note="For several outputs an intermediate γ shortens the wait: decay of the slow modes "
        "helps before the floor hurts.",
        source=ours(),
    )
    yield Claim(
        "A4-decay-delays-single-output",
        "For one output, weight decay only delays: the smallest Δt(γ)/Δt(0) is at least 0.99 at "
        f"λ = {lambda_:g}.",
        _extreme(shortest[shortest.index == 1]).at_least(0.99),
        note="Not near λ = 1, where it is 0.58.",
        source=ours(),
    )


@claims_of(
    "A4",
    statement="Above λ = 1 one output never generalizes.",
    source=paper_a("Sec. 3.1.1 and Fig. 4, center (d_out = 1)"),
)
def above_one(evidence: Evidence) -> Iterator[Claim]:
    """Measure how much is coloured above λ = 1, and from which d_out on with many outputs."""
    one = evidence.rows("gamma_lambda").query("y > 1 and d_out == 1")
    above = evidence.rows("d_out_lambda").query("y > 1")
    if one.empty or above.empty:
        raise Undecidable("the diagrams of d_out = 1 or of d_out end below λ = 1")
    yield Claim(
        "A4-above-one-never",
        "With one output generalization never comes above λ = 1: the coloured fraction of the "
        "(γ, λ) diagram there is below 1 %.",
        Measurement.exact(one["z"].notna().mean()).between(0.0, 0.01, 0.0),
        note="With many outputs it does (A4-above-one-edge).",
    )
    reached = above.dropna(subset="z")
    if reached.empty:
        raise Undecidable("the diagram has no colour above λ = 1")
    lambda_ = reached["y"].max()
    edge = reached.loc[reached["y"] == lambda_, "x"].min()
    yield Claim(
        "A4-above-one-edge",
        f"At λ = {lambda_:.3g} the diagram is coloured from d_out = (1-1/λ)/ε on, within 20 %: the "
        "loss stops at (1-1/λ)/d_out, and many outputs pass the threshold all the same.",
        Measurement.exact(edge * evidence.options["epsilon"] / (1 - 1 / lambda_)).within(1.0, 0.2),
        source=ours(),
    )
