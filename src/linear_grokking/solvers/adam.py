"""Literal Adam, the paper's alternative to gradient descent (Paper B, App. on Adam)."""

from collections.abc import Mapping

import numpy as np
from array_api_compat import array_namespace

from linear_grokking.arrays import like, to_numpy
from linear_grokking.resume import Checkpoint, NoCheckpoint
from linear_grokking.solvers.gradient_descent import Model, OnRecord, Params, iterate
from linear_grokking.solvers.trajectory import Trajectory


class _Adam:
    """The update of Kingma and Ba (2015), Algorithm 1, with bias correction."""

    def __init__(
        self, params: Params, eta: float, betas: tuple[float, float], epsilon: float
    ) -> None:
        self.eta = eta
        self.betas = betas
        self.epsilon = epsilon
        xp = array_namespace(*params)
        self.xp = xp
        self.first = [xp.zeros_like(theta) for theta in params]
        self.second = [xp.zeros_like(theta) for theta in params]

    def update(self, params: Params, gradient: Params, step: int) -> None:
        """See `gradient_descent.UpdateRule.update`."""
        beta1, beta2 = self.betas
        rate = self.eta / (1.0 - beta1**step)
        root = (1.0 - beta2**step) ** -0.5
        for theta, slope, first, second in zip(
            params, gradient, self.first, self.second, strict=True
        ):
            first *= beta1
            first += (1.0 - beta1) * slope
            second *= beta2
            second += (1.0 - beta2) * slope * slope
            theta -= rate * first / (root * self.xp.sqrt(second) + self.epsilon)

    def state(self) -> Mapping[str, np.ndarray]:
        """See `gradient_descent.UpdateRule.state`."""
        moments = {"first": self.first, "second": self.second}
        return {
            f"{name} {k}": np.array(to_numpy(moment))
            for name, arrays in moments.items()
            for k, moment in enumerate(arrays)
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """See `gradient_descent.UpdateRule.restore`."""
        for name, arrays in {"first": self.first, "second": self.second}.items():
            for k, moment in enumerate(arrays):
                moment[...] = like(moment, state[f"{name} {k}"])


def adam(
    model: Model,
    params: Params,
    *,
    eta: float,
    steps: np.ndarray,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-150,
    checkpoint: Checkpoint | None = None,
    on_record: OnRecord | None = None,
) -> Trajectory:
    """Iterate Adam step by step and record the observables (Paper B, App. on Adam).

    Parameters
    ----------
    model, params, steps, checkpoint, on_record
        As for `gradient_descent.gradient_descent`; parameters should be float64, since
        gradients fall far below what float32 resolves against the moments.
    eta
        Learning rate.
    betas
        Decay factors β₁, β₂ of the moments' averages; the paper's are 0.8 and 0.9.
    epsilon
        Guard of the denominator.  It must stay small against the gradients, or b
        freezes: they fall like e^{-ηt}, below the customary 1e-8 after some 2000 steps at
        η = 0.01.  Squares of gradients below 1e-154 underflow, whatever ε.

    Raises
    ------
    ValueError
        For a learning rate, β or ε out of range, or steps that are not increasing whole
        numbers.
    """
    if not 0 < eta < np.inf:
        raise ValueError(f"eta={eta}: the learning rate must be positive and finite")
    if not all(0 <= beta < 1 for beta in betas):
        raise ValueError(f"betas={betas}: must lie between 0 (included) and 1 (excluded)")
    if not 0 < epsilon < np.inf:
        raise ValueError(f"epsilon={epsilon}: must be positive and finite")
    rule = _Adam(params, eta, betas, epsilon)
    return iterate(model, params, rule, steps, checkpoint or NoCheckpoint(), on_record)
