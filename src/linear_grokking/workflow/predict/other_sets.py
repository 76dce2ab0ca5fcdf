"""Where gradient descent ends on sets other than Gaussian inputs of one label (Paper B)."""

from collections.abc import Mapping
from typing import Any

from linear_grokking.theory import anisotropic, label_fraction, threshold_labels, two_gaussians
from linear_grokking.workflow.predict.quantities import Rows


def add_limit(rows: Rows, spec: Mapping[str, Any]) -> bool:
    """Add the limit of the accuracy on fresh data; return whether theory covers these sets."""
    lambda_, sigma, r = spec["lambda"], spec["sigma"], spec["label_fraction"]
    law, bias = spec["law"], {"a bias": spec["bias"]}
    large = "large d_in, losses with the tail e^m"
    needs = {"a loss with the tail e^m": spec["loss"] in ("cross_entropy", "exponential")}
    if law == "anisotropic" and r == 1:
        source, needs = "ours (docs/theory.md, Anisotropic inputs)", needs | bias
        holds = f"any lambda, {large}, one label"

        def value() -> float:
            sizes = {"sigma": sigma, "condition": spec["condition"]}
            return anisotropic.limit_gen_accuracy(lambda_=lambda_, **sizes)
    elif law == "two_gaussians" and r == 1:
        source = "Paper B, Sec. 5 (ICML); docs/theory.md, Two Gaussians"
        holds = f"separable sets, {large}, no bias"

        def value() -> float:
            sizes = {"mu": spec["mu"], "sigma": sigma, "sigma_a": spec["sigma_a"]}
            return two_gaussians.limit_gen_accuracy(lambda_=lambda_, **sizes)
    elif law == "gaussian" and r < 1 and spec.get("labels") == "threshold":
        source = "Paper B, App. I (v2); docs/theory.md, Labels decided by the input"
        holds, needs = f"lambda > 0.05, {large}", needs | bias

        def value() -> float:
            return threshold_labels.limit_gen_accuracy(lambda_, r, sigma)
    elif law == "gaussian" and r < 1:
        least = float(label_fraction.separability_threshold(r))
        source = "ours (docs/theory.md, Random labels)"
        needs |= {**bias, f"lambda > {least:.4g}": lambda_ > least}
        holds = f"separable sets, {large}"

        def value() -> float:
            negative = label_fraction.limit_negative_fraction(lambda_, r, sigma)
            return label_fraction.assigned_accuracy(negative, r)
    else:
        return False
    title = "final generalization accuracy"
    rows.add("gen_accuracy_limit", title, value, source=source, holds=holds, needs=needs)
    return True
