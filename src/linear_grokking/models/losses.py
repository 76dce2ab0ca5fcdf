"""Losses ℓ(m) of the margin m = -y f; a new loss is a class here, listed in `LOSSES`.

A loss is one object: value, slope, curvature, expectation over a normal margin, and the
number by which compiled loops know its slope (None: whole-array products take their place).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from linear_grokking.models.passes import weighing
from linear_grokking.runtime.arrays import Array, Namespace
from linear_grokking.shapes import Float

LARGEST_LOSS = 1e300
"""Cap on the reported loss on fresh data.

E[e^f] overflows in separable runs.  The cap keeps histories finite, and leaves room for
sums and means of capped values.
"""

_TINY = 1e-300


class Loss(ABC):
    """A loss that is convex and never falls with m; all methods are elementwise.

    The flow and the gradient of large outputs work with the logarithm of its slope.

    Attributes
    ----------
    name
        Its name in the configuration.
    number
        See `passes.weighing.Weighing`.
    """

    name: ClassVar[str]
    number: ClassVar[int | None] = None

    @abstractmethod
    def value(self, xp: Namespace, margins: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Return ℓ(m)."""

    @abstractmethod
    def slope(self, xp: Namespace, margins: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Return ℓ'(m)."""

    def log_slope(self, xp: Namespace, margins: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Return log ℓ'(m), -inf where ℓ'(m) = 0; losses whose slope underflows override it."""
        slope = self.slope(xp, margins)
        return xp.where(slope > 0.0, xp.log(xp.clip(slope, _TINY, None)), -xp.inf)

    @abstractmethod
    def curvature(self, xp: Namespace, margins: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Return ℓ''(m)."""

    @abstractmethod
    def expectation(
        self, means: Float[np.ndarray, "*S"], deviations: Float[np.ndarray, "*S"]
    ) -> Float[np.ndarray, "*S"]:
        """Return E[ℓ(m)] for m ~ N(means, deviations²), at most about `LARGEST_LOSS`."""

    def weights(
        self, xp: Namespace, outputs: Float[Array, "*S"], factors: Float[Array, "*S"]
    ) -> Float[Array, "*S"]:
        """Return w = c ℓ'(c o), the gradient's weights for c = -y; see `Weighing.weights`."""
        return factors * self.slope(xp, factors * outputs)


class CrossEntropy(Loss):
    """ℓ(m) = log(1 + e^m) (Paper B, Eq. 1)."""

    name = "cross_entropy"
    number: ClassVar[int | None] = weighing.LOGISTIC

    def value(self, xp: Namespace, margins: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """See `Loss.value`."""
        size = xp.abs(margins)
        return 0.5 * (margins + size) + xp.log1p(xp.exp(-size))

    def slope(self, xp: Namespace, margins: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """See `Loss.slope`."""
        return 1.0 / (1.0 + xp.exp(-margins))

    def log_slope(self, xp: Namespace, margins: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """See `Loss.log_slope`."""
        size = xp.abs(margins)
        return 0.5 * (margins - size) - xp.log1p(xp.exp(-size))

    def curvature(self, xp: Namespace, margins: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """See `Loss.curvature`."""
        slope = self.slope(xp, margins)
        return slope * (1.0 - slope)

    def expectation(
        self, means: Float[np.ndarray, "*S"], deviations: Float[np.ndarray, "*S"]
    ) -> Float[np.ndarray, "*S"]:
        """See `Loss.expectation`."""
        from linear_grokking.models.softplus import mean_softplus  # and SciPy

        return mean_softplus(means, deviations)


class Exponential(Loss):
    """ℓ(m) = e^m (Paper B, Sec. 3.3)."""

    name = "exponential"
    number: ClassVar[int | None] = weighing.EXPONENTIAL

    def value(self, xp: Namespace, margins: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """See `Loss.value`."""
        return xp.exp(margins)

    slope = curvature = value

    def log_slope(self, xp: Namespace, margins: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """See `Loss.log_slope`."""
        return margins

    def expectation(
        self, means: Float[np.ndarray, "*S"], deviations: Float[np.ndarray, "*S"]
    ) -> Float[np.ndarray, "*S"]:
        """See `Loss.expectation`."""
        return np.exp(np.minimum(means + 0.5 * deviations**2, np.log(LARGEST_LOSS)))


LOSSES: Mapping[str, Loss] = {loss.name: loss for loss in (CrossEntropy(), Exponential())}
