"""What solvers require of a model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from linear_grokking.runtime.arrays import Array, array_namespace
from linear_grokking.shapes import Float

if TYPE_CHECKING:
    from linear_grokking.models.passes.stretches import Stretches

Params = tuple[Array, ...]
"""Parameters of a model, realizations on the leading axis of each array."""


def unscaled(gradient: Params) -> Params:
    """Return a gradient as `Model.scaled_gradient` does, with L = 0 (R,)."""
    first = gradient[0]
    xp = array_namespace(first)
    return *gradient, xp.zeros_like(xp.reshape(first, (len(first), -1))[:, 0])


class Model(Protocol):
    """A training problem for each realization of a batch.

    Row r of every gradient and observable depends on row r of the parameters only.

    Attributes
    ----------
    decays
        Weight decay: for each parameter array θ, the factor w of the force -wθ that the solver
        adds to minus the gradient.
    """

    @property
    def decays(self) -> tuple[float, ...]: ...  # noqa: D102

    def gradient(self, params: Params) -> Params:
        """Return the gradient of the mean training loss, shaped like ``params``."""
        ...

    def scaled_gradient(self, params: Params) -> Params:
        """Return the gradient in units of e^L, in which it does not underflow, and L (R,)."""
        ...

    def observables(self, params: Params) -> Mapping[str, Float[Array, " R"]]:
        """Return the observables, each of shape (R,)."""
        ...

    def integrands(self, params: Params) -> Mapping[str, Float[Array, " R"]]:
        """Return rates (R,) whose sums over the steps are observables too."""
        ...

    def stretches(self) -> "Stretches | None":
        """Return an object that takes many steps of plain descent in one call, or None."""
        ...


@runtime_checkable
class Measuring(Protocol):
    """A model whose observables are functions of a few numbers, cheap for many records at once."""

    def measure(self, *params: Array) -> Mapping[str, np.ndarray]:
        """Return these numbers, each (R,) or (R, K), float64."""
        ...

    def observables_from(self, measured: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Return the observables (..., R) from what was measured, (..., R) or (..., R, K).

        Entries with other names are passed on unchanged.
        """
        ...
