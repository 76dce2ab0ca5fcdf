"""Literal Adam, the paper's alternative to gradient descent (Paper B, App. on Adam)."""

from collections.abc import Mapping

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import ArrayLike

from linear_grokking.models.contract import Model, Params
from linear_grokking.runtime.arrays import Array
from linear_grokking.runtime.checkpoints import Checkpoint
from linear_grokking.solvers.gradient_descent import SingleSteps, follow
from linear_grokking.solvers.trajectory import OnRecord, Trajectory, check_rate


class _Adam:
    """The update of Kingma and Ba (2015), Algorithm 1, with bias correction."""

    def __init__(
        self, params: Params, eta: float, betas: tuple[float, float], epsilon: float
    ) -> None:
        self.eta = eta
        self.betas = betas
        self.epsilon = epsilon
        self.xp = array_namespace(*params)
        self.first = [self.xp.zeros_like(theta) for theta in params]
        self.second = [self.xp.zeros_like(theta) for theta in params]

    def update(self, params: Params, gradient: Params, step: int) -> None:
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

    def memory(self) -> Mapping[str, list[Array]]:
        return {"first": self.first, "second": self.second}


def adam(
    model: Model,
    params: Params,
    *,
    eta: float,
    steps: ArrayLike,
    beta1: float = 0.9,
    beta2: float = 0.999,
    adam_epsilon: float = 1e-150,
    checkpoint: Checkpoint | None = None,
    on_record: OnRecord | None = None,
) -> Trajectory:
    """Iterate Adam step by step and record the observables (Paper B, App. on Adam).

    See `trajectory.Solver`; parameters should be float64, since gradients fall far below what
    float32 resolves against the moments.

    Parameters
    ----------
    beta1, beta2
        Decay factors of the moments' averages; the paper's are 0.8 and 0.9.
    adam_epsilon
        Guard of the denominator.  It must stay small against the gradients, or b
        freezes: they fall like e^{-ηt}, below the customary 1e-8 after some 2000 steps at
        η = 0.01.  Squares of gradients below 1e-154 underflow, whatever ε.

    Raises
    ------
    ValueError
        For an argument out of range, or a model with weight decay.
    """
    check_rate(eta)
    for name, beta in (("beta1", beta1), ("beta2", beta2)):
        if not 0 <= beta < 1:
            raise ValueError(f"{name} = {beta}: must lie between 0 (included) and 1 (excluded)")
    if not 0 < adam_epsilon < np.inf:
        raise ValueError(f"adam_epsilon = {adam_epsilon}: must be positive and finite")
    if any(model.decays):
        raise ValueError(f"weight decay {max(model.decays):g}: Adam knows none here")
    rule = _Adam(params, eta, (beta1, beta2), adam_epsilon)
    return follow(model, SingleSteps(model, params, rule), steps, checkpoint, on_record)
