"""Claims on the phase diagrams of Paper A's formulas (A4)."""

from collections.abc import Iterator

import pandas as pd

from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, Measurement, Undecidable, ours, paper_a


def _extreme(ratio: pd.Series) -> Measurement:
    if ratio.empty:
        raise Undecidable("at no such d_out is the grokking time above 100 steps")
    return Measurement.exact(ratio.iloc[0])


@claims_of(
    "A4",
    statement="Weight decay can shorten the grokking time, and lengthen it.",
    source=paper_a("Sec. 2 (weight decay can suppress or enhance grokking)"),
)
def decay_delays(evidence: Evidence) -> Iterator[Claim]:
    """Take the smallest and the largest Δt in the diagram, over that at its smallest γ."""
    rows = evidence.rows("gamma_d_out")
    lambda_ = rows["lambda"].iloc[0]
    lines = rows.pivot(index="y", columns="x", values="z").sort_index(axis=1)
    # Where the accuracy is at its threshold from the start, there is no wait to change.
    lines = lines[lines.iloc[:, 0] > 100.0]
    shortest = (lines.min(axis=1) / lines.iloc[:, 0]).sort_values()
    longest = (lines.max(axis=1) / lines.iloc[:, 0]).sort_values(ascending=False)
    least = f"{lines.columns[0]:g}"
    where = f"γ₀ = {least}, among all d_out with Δt(γ₀) > 100 steps at λ = {lambda_:g}"
    yield Claim(
        "A4-decay-shortens",
        f"Weight decay γ can shorten the grokking time Δt: the smallest Δt(γ)/Δt(γ₀), {where}, "
        "is below 0.9 (bound ours).",
        _extreme(shortest).at_most(0.9),
    )
    yield Claim(
        "A4-decay-lengthens",
        f"Weight decay γ can lengthen the grokking time Δt: the largest Δt(γ)/Δt(γ₀), {where}, "
        "is above 1.1 (bound ours).",
        _extreme(longest).at_least(1.1),
    )
    yield Claim(
        "A4-decay-delays-always",
        "Weight decay γ never shortens the grokking time Δt, for any number of outputs: the "
        f"smallest Δt(γ)/Δt(γ₀), {where}, is at least 0.99.",
        _extreme(shortest).at_least(0.99),
        note="For several outputs an intermediate γ shortens the grokking time: it speeds up the "
        "slow modes before the loss's floor matters.",
        source=ours(),
    )
    yield Claim(
        "A4-decay-delays-single-output",
        "For one output weight decay γ never shortens the grokking time Δt: the smallest "
        f"Δt(γ)/Δt(γ₀), γ₀ = {least}, is at least 0.99 at λ = {lambda_:g}.",
        _extreme(shortest[shortest.index == 1]).at_least(0.99),
        note="This fails close to λ = 1, where the ratio is 0.58.",
        source=ours(),
    )


@claims_of(
    "A4",
    statement="With one output nothing generalizes above λ = 1.",
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
        "With one output nothing generalizes above λ = 1: the grokking time is finite in less "
        "than 1 % of that part of the (γ, λ) diagram.",
        Measurement.exact(one["z"].notna().mean()).between(0.0, 0.01, 0.0),
        note="With many outputs there is generalization above λ = 1 (A4-above-one-edge).",
    )
    reached = above.dropna(subset="z")
    if reached.empty:
        raise Undecidable("the diagram has no finite time above λ = 1")
    lambda_ = reached["y"].max()
    edge = reached.loc[reached["y"] == lambda_, "x"].min()
    yield Claim(
        "A4-above-one-edge",
        f"At λ = {lambda_:.3g} the grokking time is finite from d_out = (1-1/λ)/ε on, within "
        "20 %: the generalization loss stops at (1-1/λ)/d_out, which is below the threshold for "
        "many outputs.",
        Measurement.exact(edge * evidence.options["epsilon"] / (1 - 1 / lambda_)).within(1.0, 0.2),
        source=ours(),
    )
