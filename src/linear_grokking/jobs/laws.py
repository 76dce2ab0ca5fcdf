"""The law of the inputs that a classification run's spec names."""

from collections.abc import Mapping
from typing import Any

from linear_grokking.data import Anisotropic, Gaussian, InputLaw, Mixture, TwoGaussians


def input_law(spec: Mapping[str, Any]) -> InputLaw:
    """Return the law of a run's inputs."""
    sigma = spec["sigma"]
    match spec["law"]:
        case "gaussian":
            return Gaussian(sigma)
        case "anisotropic":
            return Anisotropic(sigma, spec["condition"])
        case "mixture":
            return Mixture(sigma, spec["mixture_mean"])
        case "two_gaussians":
            return TwoGaussians(sigma, spec["mu"], spec["sigma_a"])
    raise ValueError(f"law = {spec['law']}: must be one of the laws of linear_grokking.data")
