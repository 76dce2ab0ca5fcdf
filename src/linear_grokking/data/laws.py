"""Laws of labelled inputs for classification; a new law is a class here, listed in `LAWS`.

Every law of Paper B's inputs is a mixture of Gaussians, so the output f = S·x + b of a
linear classifier is a mixture of one-dimensional normals: population losses and
accuracies need only its means and standard deviations (`OutputMixture`).  Laws beyond the
paper's are in `wider_laws`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from linear_grokking.data.input_law import InputLaw, OutputMixture
from linear_grokking.data.streams import fill_normal
from linear_grokking.data.wider_laws import WIDER_LAWS
from linear_grokking.shapes import Float


@dataclass(frozen=True)
class Gaussian(InputLaw):
    """x ~ N(0, σ²I) (Paper B, Sec. 3.1)."""

    name = "gaussian"
    isotropic_across = True

    def draw(self, rng: np.random.Generator, out: Float[np.ndarray, "n d"]) -> None:
        """See `InputLaw.draw`."""
        fill_normal(rng, out, self.sigma)

    def output_mixture(self, weights: Float[Any, "*S d"], bias: Float[Any, "*#S"]) -> OutputMixture:
        """See `InputLaw.output_mixture`."""
        return _centred(self.sigma * np.linalg.norm(weights, axis=-1), bias)


@dataclass(frozen=True)
class Anisotropic(InputLaw):
    """Centred Gaussian whose standard deviations fall geometrically along the axes.

    Axis k of d has standard deviation σ c^{½ - k/(d-1)}, where c = `condition` is the ratio of
    the largest to the smallest (Paper B, ICML App. G: any law symmetric about the origin).
    """

    name = "anisotropic"
    condition: float

    def deviations(self, d: int) -> Float[np.ndarray, " d"]:
        """Return the standard deviations (d,) along the axes."""
        return self.sigma * self.condition ** (0.5 - np.linspace(0.0, 1.0, d))

    def draw(self, rng: np.random.Generator, out: Float[np.ndarray, "n d"]) -> None:
        """See `InputLaw.draw`."""
        fill_normal(rng, out, self.deviations(out.shape[1]))

    def output_mixture(self, weights: Float[Any, "*S d"], bias: Float[Any, "*#S"]) -> OutputMixture:
        """See `InputLaw.output_mixture`."""
        scaled = weights * self.deviations(weights.shape[-1])
        return _centred(np.linalg.norm(scaled, axis=-1), bias)


@dataclass(frozen=True)
class Mixture(InputLaw):
    """Two Gaussians N(±m e₁, σ²I) of equal weight, all labelled -1 (ICML App. G)."""

    name = "mixture"
    isotropic_across = True
    mixture_mean: float

    def key(self) -> dict[str, object]:
        """See `InputLaw.key`."""
        return {**super().key(), "ratio": self.mixture_mean / self.sigma}

    def draw(self, rng: np.random.Generator, out: Float[np.ndarray, "n d"]) -> None:
        """See `InputLaw.draw`."""
        signs = rng.integers(0, 2, size=len(out)) * 2 - 1
        fill_normal(rng, out, self.sigma)
        out[:, 0] += (signs * self.mixture_mean).astype(out.dtype)

    def output_mixture(self, weights: Float[Any, "*S d"], bias: Float[Any, "*#S"]) -> OutputMixture:
        """See `InputLaw.output_mixture`."""
        deviation = self.sigma * np.linalg.norm(weights, axis=-1)
        shift = self.mixture_mean * weights[..., 0]
        return OutputMixture(
            probabilities=np.array([0.5, 0.5]),
            labels=np.array([-1.0, -1.0]),
            means=np.stack([bias + shift, bias - shift], axis=-1),
            deviations=np.stack([deviation, deviation], axis=-1),
        )


@dataclass(frozen=True)
class TwoGaussians(InputLaw):
    """Labels ±1 with means ±μ e₁, σ_A along e₁ and σ across it (Paper B, ICML Sec. 5).

    The inputs are returned as x̂ = -y x, on which every label is -1: the classifier
    without bias, f = S·x, is right on x where S·x̂ < 0.
    """

    name = "two_gaussians"
    isotropic_across = True
    mu: float
    sigma_a: float

    def draw(self, rng: np.random.Generator, out: Float[np.ndarray, "n d"]) -> None:
        """See `InputLaw.draw`."""
        fill_normal(rng, out, self.sigma)
        out[:, 0] *= self.sigma_a / self.sigma
        out[:, 0] -= self.mu

    def output_mixture(self, weights: Float[Any, "*S d"], bias: Float[Any, "*#S"]) -> OutputMixture:
        """See `InputLaw.output_mixture`."""
        across = self.sigma * np.linalg.norm(weights[..., 1:], axis=-1)
        return _centred(
            np.hypot(self.sigma_a * weights[..., 0], across), bias - self.mu * weights[..., 0]
        )


def _centred(deviation: np.ndarray, mean: np.ndarray) -> OutputMixture:
    """Return the one-component mixture with all labels -1."""
    mean, deviation = np.broadcast_arrays(np.asarray(mean, float), deviation)
    return OutputMixture(
        np.array([1.0]), np.array([-1.0]), mean[..., np.newaxis], deviation[..., np.newaxis]
    )


LAWS: Mapping[str, type[InputLaw]] = {
    law.name: law for law in (Gaussian, Anisotropic, Mixture, TwoGaussians, *WIDER_LAWS)
}


def law_keys(name: str) -> tuple[str, ...]:
    """Return the keys of the configuration that a law has besides ``sigma``."""
    return tuple(field.name for field in fields(LAWS[name]) if field.name != "sigma")


def law_of(spec: Mapping[str, Any]) -> InputLaw:
    """Return the law of the inputs of a classification run."""
    return LAWS[spec["law"]](**{key: spec[key] for key in ("sigma", *law_keys(spec["law"]))})
