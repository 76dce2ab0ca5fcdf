"""Claims on the dynamics of logistic classification: Paper B's Figs. 9, 14 and 16."""

from collections.abc import Iterator

import numpy as np

from linear_grokking.claims.measuring import (
    extremes_of,
    geometric_mean_of,
    mean_of,
    of_shared_draws,
)
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, Undecidable, ours, paper_b
from linear_grokking.theory import label_fraction, two_gaussians


@claims_of(
    "B9", statement="Generalization needs more time the larger σ.", source=paper_b("App. F.1")
)
def sigma(evidence: Evidence) -> Iterator[Claim]:
    """Compare the smallest and the largest σ at which all draws generalize."""
    runs = sorted(evidence.runs("dynamics"), key=lambda run: run.parameters["sigma"])
    times = of_shared_draws(runs, "t_gen")
    finite = np.flatnonzero(np.isfinite(times).all(axis=1))
    if len(finite) < 2:
        raise Undecidable("fewer than two σ generalize in all draws")
    first, last = finite[[0, -1]]
    smallest, largest = (runs[k].parameters["sigma"] for k in (first, last))
    yield Claim(
        "B9-sigma",
        f"Generalization needs more time the larger σ: the time of {evidence.percent} accuracy at "
        f"σ = {largest:g} is at least 10 times that at σ = {smallest:g}, on the same sets.",
        geometric_mean_of(times[last] / times[first], *runs).at_least(10.0),
    )


_STARTS = {
    "B11": ("s0_norm", "From ‖S₀‖ = {:g}", paper_b("App. F.3")),
    "B12": ("b0", "From b₀ = {:g}", paper_b("App. F.3")),
    "B13": ("lambda", "At λ = {:g}, with the exponential loss", paper_b("App. F.4")),
}


@claims_of(
    "B14",
    statement="The final accuracy is the large-size limit, whatever the spread along the axis.",
    source=paper_b("ICML Sec. 5 and Fig. 4; limit ours"),
)
def two_gaussians_limit(evidence: Evidence) -> Iterator[Claim]:
    """Compare them, by σ_A."""
    for run in evidence.runs("dynamics"):
        lengths = {key: run.parameters[key] for key in ("mu", "sigma", "sigma_a")}
        limit = two_gaussians.limit_gen_accuracy(lambda_=run.parameters["lambda"], **lengths)
        yield Claim(
            f"B14-limit-sigma_a-{lengths['sigma_a']:g}",
            f"With σ_A = {lengths['sigma_a']:g} the accuracy at t = {run.parameters['t_max']:.0e} "
            "is the large-size limit, within 0.02.",
            mean_of(run.scalars["final_gen_accuracy"], run).near(limit, 0.02),
            note="Separable sets approach their limit only logarithmically in t.",
        )


@claims_of(
    "B16", statement="The label fraction r caps the accuracy.", source=paper_b("Fig. 16; cap ours")
)
def cap(evidence: Evidence) -> Iterator[Claim]:
    """Average the best accuracy of each draw, by r."""
    for run in evidence.runs("dynamics", keep=lambda p: p["label_fraction"] < 1):
        r = run.parameters["label_fraction"]
        yield Claim(
            f"B16-cap-r-{r:g}",
            f"With label fraction r = {r:g} the accuracy on fresh samples never exceeds r, by more "
            "than 0.005 (measured: the mean of the realizations' best).",
            mean_of(run.scalars["max_gen_accuracy"], run).at_most(r + 0.005, r),
        )


@claims_of(
    "B16",
    statement="Above a threshold in λ sets are separable with bias, and training overfits.",
    source=ours(),
)
def overfit(evidence: Evidence) -> Iterator[Claim]:
    """Look at how training ends above it, by r."""
    for run in evidence.runs("dynamics", keep=lambda p: p["label_fraction"] < 1):
        r, lambda_ = run.parameters["label_fraction"], run.parameters["lambda"]
        threshold = label_fraction.separability_threshold(r)
        if lambda_ <= threshold:
            continue
        yield Claim(
            f"B16-overfit-r-{r:g}",
            f"With r = {r:g} the sets are separable with bias above λ = {threshold:.3f}, so at "
            f"λ = {lambda_:g} training ends with every sample right: accuracy above 0.999.",
            extremes_of(run.scalars["final_train_accuracy"], run).at_least(0.999, 1.0),
        )
        negative = label_fraction.limit_negative_fraction(lambda_, r, run.parameters["sigma"])
        limit = label_fraction.assigned_accuracy(negative, r)
        yield Claim(
            f"B16-limit-r-{r:g}",
            f"With r = {r:g} the accuracy on fresh samples ends at the large-size limit of the "
            f"separating direction, far below r: within 0.02 at t = {run.parameters['t_max']:.0e}.",
            mean_of(run.scalars["final_gen_accuracy"], run).near(limit, 0.02),
            source=ours("large-size limit"),
        )
