"""Laws of inputs beyond Paper B's: other entries, random radii, random features (Fig. B22).

Every input has the label -1.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from linear_grokking.data.input_law import Drawing, InputLaw, OutputMixture, SampledLaw
from linear_grokking.data.streams import fill, fill_normal
from linear_grokking.shapes import Float


class Rademacher(SampledLaw):
    """Independent entries ±σ."""

    name = "rademacher"

    def draw(self, rng: np.random.Generator, out: Float[np.ndarray, "n d"]) -> None:
        """See `InputLaw.draw`."""
        fill(lambda shape: 2.0 * rng.integers(0, 2, shape) - 1.0, out, self.sigma)


class Uniform(SampledLaw):
    """Independent entries, uniform between ±√3 σ."""

    name = "uniform"

    def draw(self, rng: np.random.Generator, out: Float[np.ndarray, "n d"]) -> None:
        """See `InputLaw.draw`."""
        edge = np.sqrt(3.0)
        fill(lambda shape: rng.uniform(-edge, edge, shape), out, self.sigma)


@dataclass(frozen=True)
class StudentT(SampledLaw):
    """Independent Student-t entries, ν = `degrees_of_freedom` > 2, of standard deviation σ."""

    name = "student_t"
    degrees_of_freedom: float

    def key(self) -> dict[str, object]:
        """See `InputLaw.key`."""
        return {**super().key(), "degrees_of_freedom": self.degrees_of_freedom}

    def draw(self, rng: np.random.Generator, out: Float[np.ndarray, "n d"]) -> None:
        """See `InputLaw.draw`."""
        nu = self.degrees_of_freedom
        scale = self.sigma * np.sqrt((nu - 2.0) / nu)
        fill(lambda shape: rng.standard_t(nu, shape), out, scale)


@dataclass(frozen=True)
class Elliptical(InputLaw):
    """x = s z, z ~ N(0, σ²I), with a random radius s of two values, E[s²] = 1.

    The larger value is `radius_ratio` times the smaller one and has the probability `far_share`.
    Sets that differ only in these two have the same z.
    """

    name = "elliptical"
    radius_ratio: float
    far_share: float

    def draw(self, rng: np.random.Generator, out: Float[np.ndarray, "n d"]) -> None:
        """See `InputLaw.draw`."""
        far = rng.random(len(out)) < self.far_share
        fill_normal(rng, out, self.sigma)
        near, large = self.radii()
        out *= np.where(far, large, near).astype(out.dtype)[:, np.newaxis]

    def radii(self) -> tuple[float, float]:
        """Return the two values of s."""
        near = (1.0 + self.far_share * (self.radius_ratio**2 - 1.0)) ** -0.5
        return near, self.radius_ratio * near

    def output_mixture(self, weights: Float[Any, "*S d"], bias: Float[Any, "*#S"]) -> OutputMixture:
        """See `InputLaw.output_mixture`."""
        deviation = self.sigma * np.linalg.norm(weights, axis=-1)
        mean = np.broadcast_to(np.asarray(bias, float), deviation.shape)
        return OutputMixture(
            probabilities=np.array([1.0 - self.far_share, self.far_share]),
            labels=np.array([-1.0, -1.0]),
            means=np.stack([mean, mean], axis=-1),
            deviations=np.stack([s * deviation for s in self.radii()], axis=-1),
        )


@dataclass(frozen=True)
class Features(SampledLaw):
    """Random features σφ(w_j·z)/√E[φ²] of z ~ N(0, I_m), m = `latent_dim`.

    The directions w_j are independent and uniform on the unit sphere, so that σ is the root mean
    square of every feature; a realization's training and fresh inputs share them.
    """

    latent_dim: int

    def key(self) -> dict[str, object]:
        """See `InputLaw.key`."""
        return {**super().key(), "latent_dim": self.latent_dim}

    @abstractmethod
    def activate(self, projections: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """Return φ/√E[φ²] of projections, which are N(0, 1) each."""

    def of_realization(self, rng: np.random.Generator, d: int) -> Drawing:
        """See `InputLaw.of_realization`."""
        directions = rng.standard_normal((d, self.latent_dim))
        return _FixedFeatures(self, directions / np.linalg.norm(directions, axis=1, keepdims=True))

    def draw(self, rng: np.random.Generator, out: Float[np.ndarray, "n d"]) -> None:
        """Fill ``out`` (n, d) with inputs, after drawing their directions."""
        self.of_realization(rng, out.shape[1]).draw(rng, out)


@dataclass(frozen=True)
class _FixedFeatures:
    """Features of given directions (d, m)."""

    law: Features
    directions: Float[np.ndarray, "d m"]

    def draw(self, rng: np.random.Generator, out: Float[np.ndarray, "n d"]) -> None:
        """See `Drawing.draw`."""

        def features(shape: tuple[int, ...]) -> np.ndarray:
            latent = rng.standard_normal((shape[0], self.law.latent_dim))
            return self.law.activate(latent @ self.directions.T)

        fill(features, out, self.law.sigma)


TANH_SIZE = 0.6279287303491068
"""√E[tanh²(z)], z ~ N(0, 1)."""


class TanhFeatures(Features):
    """Odd random features: tanh."""

    name = "tanh_features"

    def activate(self, projections: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """See `Features.activate`."""
        return np.tanh(projections) / TANH_SIZE


class ReluFeatures(Features):
    """Non-negative random features: max(0, ·), E[φ²] = ½."""

    name = "relu_features"

    def activate(self, projections: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """See `Features.activate`."""
        return np.sqrt(2.0) * np.maximum(projections, 0.0)


WIDER_LAWS = (Rademacher, Uniform, StudentT, Elliptical, TanhFeatures, ReluFeatures)
"""The laws here, in the order in which the configuration lists them."""
