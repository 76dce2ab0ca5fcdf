"""Claims on S against conformal time, and on the outputs: Paper B's Fig. 2."""

from collections.abc import Iterator

import numpy as np

from linear_grokking.claims.measuring import extremes_of, mean_of
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, Measurement, paper_b
from linear_grokking.figures.separability_panels import CRITICAL
from linear_grokking.theory import large_size

_SHARE_RANGE = 0.2
"""Projections on S_∞/‖S_∞‖ up to this size, in units of σ, count as near 0."""


@claims_of(
    "B2",
    statement="As a function of conformal time τ, S is the same with bias as without.",
    source=paper_b("v1 Eqs. 9-10 / v2 Eqs. 7-8, App. C, Fig. 2"),
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
            f"With the exponential loss at λ = {lambda_:g}, ‖S‖ as a function of conformal time τ "
            "is the same with bias as without: within 1 % at any τ ≥ 1 that both runs reach, "
            "interpolation included (measured: the largest relative difference).",
            extremes_of([worst], *both).between(0.0, 0.01, 0.0),
        )


@claims_of(
    "B2", statement="Conformal time grows at least logarithmically.", source=paper_b("App. C")
)
def lower_bound(evidence: Evidence) -> Iterator[Claim]:
    """Compare τ at every record with the bound that the largest C(S) on the path gives."""
    for run in evidence.runs("with_bias"):
        eta, lambda_ = run.parameters["eta"], run.parameters["lambda"]
        steps, loss, bias, tau = run.curves("train_loss", "bias", "conformal_time")
        largest = (loss * np.exp(-bias)).max(axis=1, keepdims=True)
        rate = eta * largest
        bound = np.log1p(rate * np.exp(bias[:, :1]) * steps) / rate
        least = np.min(tau[:, 1:] / bound[:, 1:], axis=1)
        yield Claim(
            f"B2-conformal-bound-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} conformal time τ is at least log(1 + ηC_max e^(b₀) t)/(ηC_max) at "
            "all t, where C_max is the largest C(S) = L e^(-b) on the path (measured: the smallest "
            "ratio of τ to the bound).",
            extremes_of(least, run).at_least(1.0),
        )


@claims_of(
    "B2",
    "B6",
    statement="The projections of the points on S_∞ pile up at 0 as λ → ½.",
    source=paper_b("App. E.1 (the density should be singular at 0); share ours"),
)
def singular_density(evidence: Evidence) -> Iterator[Claim]:
    """Evaluate the large-size share near 0 at λ close to ½, and compare outputs with it."""
    if evidence.figure == "B6":
        range_, gap = 0.05, 2e-4
        share = large_size.share_near_zero(range_, (1 - gap) / 2)
        yield Claim(
            "B6-singular-density",
            "As λ → ½, in the large-size limit, half of the points have projection 0 on S_∞/‖S_∞‖: "
            f"at 1-2λ = 2e-4 the share within {range_}σ of 0 is at least 0.45 (for a Gaussian, "
            "0.04).",
            Measurement.exact(share).at_least(0.45, 0.5),
        )
        return
    norms = {run.parameters["lambda"]: run for run in evidence.runs("dynamics")}
    for run in evidence.runs("outputs", keep=lambda p: p["lambda"] < CRITICAL):
        lambda_ = run.parameters["lambda"]
        ends = norms[lambda_].scalars.set_index("realization")
        outputs = run.outputs.join(ends[["final_bias", "final_weight_norm"]], on="realization")
        scale = outputs["final_weight_norm"] * run.parameters["sigma"]
        projections = (outputs["output"] - outputs["final_bias"]) / scale
        near = projections.abs() <= _SHARE_RANGE
        # S is fitted to the points, so that shares scatter more than independent points' would.
        shares = near.groupby(outputs["realization"]).mean()
        expected = large_size.share_near_zero(_SHARE_RANGE, lambda_)
        yield Claim(
            f"B2-share-near-zero-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} the share of training points whose projection on S/‖S‖ is within "
            f"{_SHARE_RANGE}σ of 0 is that of the large-size limit, which grows as λ → ½: within "
            f"0.04 at t = {run.parameters['t_max']:.0e}.",
            mean_of(shares, run, norms[lambda_]).near(expected, 0.04),
        )
