"""Claims on other entries, random radii and random features: Fig. B22."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from linear_grokking.claims.measuring import (
    SIGNIFICANCE,
    extremes_of,
    geometric_mean_of,
    median_of,
    proportion_of,
)
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.separability import scaled_distance, scaled_norms, wendel_p
from linear_grokking.claims.verdict import (
    Claim,
    Disagreement,
    Measurement,
    Source,
    Undecidable,
    ours,
    paper_b,
)
from linear_grokking.figures.b22 import look_of
from linear_grokking.results.reading import RunResult, by_value
from linear_grokking.theory import elliptical, large_size

_SYMMETRIC = paper_b("v2 App. G with App. A (Wendel 1962)")
_DISCRETE = ours("Wendel 1962, an upper bound for points that are not in general position")
_ODD = ours("odd features have a law symmetric about the origin, docs/theory.md; Wendel 1962")
_UNIVERSAL = ours("large-size limit of Gaussian inputs")
_RADIUS = ours("large-size limit of a random radius, docs/theory.md")
_NO_FOURTH_MOMENT = 4.0
"""Degrees of freedom up to which Student's t has no fourth moment."""
_HEAVY = (
    "For entries without a fourth moment σ‖S_∞‖ approaches the curve slowly as N grows: in finite "
    "sets the lengths of the coordinates differ, as with a random radius."
)
_OF_WENDEL: dict[str, tuple[Source, str]] = {
    "gaussian": (_SYMMETRIC, ""),
    "student_t": (_SYMMETRIC, ""),
    "rademacher": (
        _DISCRETE,
        "Some d of the points may be linearly dependent, which can only lower the fraction; here "
        "the effect is too small to be seen.",
    ),
    "tanh_features": (_ODD, ""),
}
"""Law → who states that its fraction is Wendel's, and a note."""


def _name(law: str) -> str:
    """Return how a law is written in a sentence, without the marks of a legend's mathematics."""
    return look_of(law).name.replace("$", "")


@claims_of(
    "B22",
    statement="The fraction of separable sets is Wendel's for laws symmetric about the origin, "
    "random odd features among them.",
    source=_SYMMETRIC,
)
def fractions(evidence: Evidence) -> Iterator[Claim]:
    """Test the points of each law jointly."""
    for law, chosen in by_value(evidence.runs("fractions"), "law").items():
        if law not in _OF_WENDEL:
            continue
        source, note = _OF_WENDEL[law]
        yield Claim(
            f"B22-wendel-{law}",
            f"The fraction of separable sets (inputs: {_name(law)}) is Wendel's probability at "
            f"every λ: the joint χ² test over {len(chosen)} points has p of at least "
            f"{SIGNIFICANCE}.",
            wendel_p(chosen).at_least(SIGNIFICANCE),
            source=source,
            note=note,
        )


@claims_of(
    "B22",
    statement="Sets of features that are nowhere negative are separable at every λ, and generalize "
    "early.",
    source=ours("S = (-1, …, -1) classifies all inputs correctly"),
)
def one_sided(evidence: Evidence) -> Iterator[Claim]:
    """Count the separable sets of ReLU features, and look at when they generalize."""
    if chosen := by_value(evidence.runs("fractions"), "law").get("relu_features"):
        verdicts = np.concatenate([run.scalars["separable"].to_numpy(bool) for run in chosen])
        yield Claim(
            "B22-relu-separable",
            "Sets of ReLU features are separable at every λ, on both sides of ½: at least 99 % of "
            "them are.",
            proportion_of(verdicts, *chosen).at_least(0.99, 1.0),
            note="A set with an input whose features are all 0 is not; such an input has the "
            "probability 2^-d.",
        )
    for run in by_value(evidence.runs("dynamics"), "law").get("relu_features", ()):
        yield Claim(
            "B22-relu-at-once",
            f"On ReLU features there is no grokking: {evidence.percent} generalization accuracy is "
            "reached within 10 steps in every draw (measured: mean, smallest and largest number).",
            extremes_of(run.scalars["t_gen"], run).at_most(10.0),
        )


def _median_ratio(runs: Sequence[RunResult], curve: Callable[[RunResult], float]) -> Measurement:
    """Return the median ratio of σ‖S_∞‖ to a curve, over all draws at λ far enough from ½.

    Separable sets count as infinite.
    """
    runs = [run for run in runs if scaled_distance(run) > 2]
    if not runs:
        raise Undecidable("no run has √N (1-2λ) > 2")
    return median_of(np.concatenate([scaled_norms(run) / curve(run) for run in runs]), *runs)


def _one_radius(run: RunResult) -> float:
    return float(large_size.limit_norm(run.parameters["lambda"]))


@claims_of(
    "B22",
    statement="σ‖S_∞‖ is that of Gaussian inputs for all laws of independent entries.",
    source=_UNIVERSAL,
)
def universal(evidence: Evidence) -> Iterator[Claim]:
    """Compare the norms of each law with the curve of Gaussian inputs."""
    for law, chosen in by_value(evidence.runs("entries"), "law").items():
        first = chosen[0].parameters
        heavy = law == "student_t" and first["degrees_of_freedom"] <= _NO_FOURTH_MOMENT
        tolerance = 0.03 if heavy else 0.08
        yield Claim(
            f"B22-norm-{law}",
            f"σ‖S_∞‖ (inputs: {_name(law)}) is that of large sets of Gaussian inputs, within "
            f"{100 * tolerance:.0f} % (measured: the median of their ratio, over all draws of N = "
            f"{first['n_train']} with √N (1-2λ) > 2).",
            _median_ratio(chosen, _one_radius).within(1.0, tolerance),
            note=_HEAVY if heavy else "",
            otherwise=Disagreement.SIZE if heavy else None,
        )


@claims_of(
    "B22",
    statement="With a random radius σ‖S_∞‖ has its own curve, not that of one radius.",
    source=_RADIUS,
)
def radius(evidence: Evidence) -> Iterator[Claim]:
    """Compare norms with both curves, for each ratio of radii."""
    for ratio, chosen in sorted(by_value(evidence.runs("elliptical"), "radius_ratio").items()):
        share = chosen[0].parameters["far_share"]

        def own(run: RunResult, ratio: float = ratio, share: float = share) -> float:
            return float(elliptical.limit_norm(run.parameters["lambda"], ratio, share))

        where = f"If {100 * share:g} % of the inputs have {ratio:g} times the radius of the others"
        yield Claim(
            f"B22-radius-ratio-{ratio:g}",
            f"{where}, σ‖S_∞‖ is that of large sets of this law, within 8 % (measured: the median "
            "of their ratio).",
            _median_ratio(chosen, own).within(1.0, 0.08),
        )
        yield Claim(
            f"B22-one-radius-ratio-{ratio:g}",
            f"{where}, σ‖S_∞‖ is that of large sets of Gaussian inputs with the same standard "
            "deviation, within 8 % (measured: the median of their ratio).",
            _median_ratio(chosen, _one_radius).within(1.0, 0.08),
            source=_UNIVERSAL,
            note="The transition is universal; S_∞ below it is not.",
            otherwise=Disagreement.CONJECTURE,
        )


@claims_of(
    "B22",
    statement="The time to an accuracy is that of Gaussian inputs for independent entries of any "
    "law, but not with a random radius.",
    source=_UNIVERSAL,
)
def times(evidence: Evidence) -> Iterator[Claim]:
    """Compare the times of each law with those of a settled S."""
    runs = evidence.runs("dynamics", keep=lambda p: p["lambda"] < 0.5)
    for run in runs:
        law, lambda_, eta = (run.parameters[key] for key in ("law", "lambda", "eta"))
        settled = float(large_size.log_time_to_accuracy(lambda_, eta, evidence.threshold))
        if law == "elliptical":
            yield Claim(
                "B22-time-elliptical",
                f"With inputs of two radii (ratio {run.parameters['radius_ratio']:g}) "
                f"{evidence.percent} accuracy is reached at least 10 times as late as in large "
                "sets of Gaussian inputs (measured: the ratio of the median time to theirs).",
                (median_of(run.scalars["t_gen"], run) / np.exp(settled)).at_least(10.0),
                source=_RADIUS,
                note="Inputs near the origin are classified correctly early, those far out only "
                "late.",
            )
        elif law in ("gaussian", "rademacher", "uniform", "student_t"):
            yield Claim(
                f"B22-time-{law}",
                f"The time t to {evidence.percent} accuracy (inputs: {_name(law)}) is that of "
                "large sets of Gaussian inputs: log t within 15 % (measured: the ratio of the "
                "logarithms).",
                geometric_mean_of(np.log(run.scalars["t_gen"]) / settled, run).within(1.0, 0.15),
            )
