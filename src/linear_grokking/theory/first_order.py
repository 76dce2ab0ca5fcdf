"""First-order methods on a quadratic loss: each mode of the Hessian on its own.

A linear method multiplies the mode of curvature h (an eigenvalue of the Hessian) by a polynomial
a_t(h) with a_t(0) = 1.  For a method with one memory, it follows from powers of a 2×2 matrix that
acts on the mode and its memory.  For Paper A's linear regression h = 2(ν + γ/2)/d_out (Sec. 3,
Eq. 3).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.shapes import Float
from linear_grokking.theory._domain import within


class Method(Protocol):
    """A method with one memory per parameter.

    With the mode D, its gradient hD and the memory m, a step is

        D ← D - η(push hD + keep m),   m ← gain hD + decay m,   m = start hD initially.
    """

    @property
    def eta(self) -> float:
        """Learning rate η."""
        ...

    @property
    def coefficients(self) -> "Coefficients":
        """The coefficients of gradient and memory in a step."""
        ...

    @property
    def largest_curvature(self) -> float:
        """The curvature above which the method diverges."""
        ...


class Coefficients(NamedTuple):
    """See `Method`."""

    push: float
    keep: float
    gain: float
    decay: float
    start: float


@dataclass(frozen=True)
class Momentum:
    """``torch.optim.SGD(lr=eta, momentum=momentum, nesterov=nesterov)`` on the full batch.

    The memory is the buffer m ← βm + g, initially 0; the parameters move by -ηm, or with
    Nesterov's look-ahead by -η(g + βm).

    Raises
    ------
    ValueError
        For a learning rate that is not positive, or a momentum outside [0, 1).
    """

    eta: float
    momentum: float
    nesterov: bool = False

    def __post_init__(self) -> None:
        within("eta", self.eta)
        within("momentum", self.momentum, "[0, 1)")

    @property
    def coefficients(self) -> Coefficients:
        """See `Method.coefficients`."""
        beta = self.momentum
        if self.nesterov:
            return Coefficients(1.0 + beta, beta**2, 1.0, beta, 0.0)
        return Coefficients(1.0, beta, 1.0, beta, 0.0)

    @property
    def largest_curvature(self) -> float:
        """See `Method.largest_curvature`."""
        beta = self.momentum
        bound = (1.0 + beta) / (1.0 + 2.0 * beta) if self.nesterov else 1.0 + beta
        return 2.0 * bound / self.eta


@dataclass(frozen=True)
class Grokfast:
    """Gradient descent with its slow gradients amplified (Lee et al. 2024, ``gradfilter_ema``).

    The memory is the moving average e ← αe + (1-α)g, initially g; a step is -η(g + κe).

    Attributes
    ----------
    alpha, lamb
        α and κ, under the names of the authors' code.

    Raises
    ------
    ValueError
        For a learning rate that is not positive, an α outside [0, 1) or a negative κ.
    """

    eta: float
    alpha: float
    lamb: float

    def __post_init__(self) -> None:
        within("eta", self.eta)
        within("alpha", self.alpha, "[0, 1)")
        within("lamb", self.lamb, "[0, inf)")

    @property
    def coefficients(self) -> Coefficients:
        """See `Method.coefficients`."""
        new = 1.0 - self.alpha
        return Coefficients(1.0 + self.lamb * new, self.lamb * self.alpha, new, self.alpha, 1.0)

    @property
    def largest_curvature(self) -> float:
        """See `Method.largest_curvature`."""
        fast = self.lamb * (1.0 - self.alpha) / (1.0 + self.alpha)
        return 2.0 / (1.0 + fast) / self.eta


def residuals(
    method: Method, curvatures: Float[np.ndarray, "*S"], steps: ArrayLike
) -> Float[np.ndarray, "T ..."]:
    """Return the polynomials a_t at some curvatures, for ascending whole numbers t of steps.

    Their relative error is about 1e-16 t.  Where the method diverges they grow.
    """
    h = np.asarray(curvatures, float)
    push, keep, gain, decay, start = method.coefficients
    matrix = np.empty((*h.shape, 2, 2))
    matrix[..., 0, 0], matrix[..., 0, 1] = 1.0 - method.eta * push * h, -method.eta * keep
    matrix[..., 1, 0], matrix[..., 1, 1] = gain * h, decay
    state = np.stack([np.ones_like(h), start * h], axis=-1)[..., np.newaxis]
    found, done = [], 0
    for step in _whole(steps):
        state = np.linalg.matrix_power(matrix, step - done) @ state
        done = step
        found.append(state[..., 0, 0])
    return np.reshape(found, (-1, *h.shape))


def conjugate_gradients(
    curvatures: Float[np.ndarray, " K"], squares: Float[np.ndarray, " K"], steps: ArrayLike
) -> Float[np.ndarray, "T K"]:
    """Return the polynomials a_t of the conjugate gradients (Hestenes and Stiefel 1952).

    They are those of degree t with a_t(0) = 1 for which Σ h a_t² s is least.

    Parameters
    ----------
    curvatures, squares
        h ≥ 0 of each mode, and s, the square of its initial error.
    steps
        Ascending whole numbers t.
    """
    along = np.ones_like(curvatures)
    weights = curvatures**2 * squares
    # Residual and direction in units of minus the curvature times the initial error.
    residual, direction = along.copy(), along.copy()
    size = first = np.sum(weights * residual**2)
    found, done = [], 0
    for step in _whole(steps):
        # Below this the residual is rounding, and the method has nothing left to do.
        while done < step and size > 1e-30 * first:
            length = size / np.sum(weights * curvatures * direction**2)
            along = along - length * curvatures * direction
            residual = residual - length * curvatures * direction
            before, size = size, np.sum(weights * residual**2)
            direction = residual + size / before * direction
            done += 1
        found.append(along)
    return np.array(found)


def _whole(steps: ArrayLike) -> Iterable[int]:
    """Yield steps as Python's integers, whose powers are exact."""
    steps = within("steps", steps, "[0, inf)")
    if np.any(steps != np.rint(steps)) or np.any(np.diff(steps) < 0):
        raise ValueError(f"steps = {steps}: must be ascending whole numbers")
    return (int(step) for step in steps)
