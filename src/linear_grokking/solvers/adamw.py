"""Literal AdamW (Loshchilov and Hutter 2019): Adam with decoupled weight decay."""

import math
from collections.abc import Mapping

from numpy.typing import ArrayLike

from linear_grokking.models.contract import Model, Params
from linear_grokking.runtime.arrays import Array, array_namespace
from linear_grokking.runtime.checkpoints import Checkpoint
from linear_grokking.solvers.adam import check_betas
from linear_grokking.solvers.gradient_descent import SingleSteps, follow
from linear_grokking.solvers.trajectory import OnRecord, Trajectory, check_rate


class _AdamW:
    """θ ← (1 - ηw)θ - η m/(√v + ε), with m and v the bias-corrected moments of ∇L."""

    def __init__(
        self,
        params: Params,
        eta: float,
        betas: tuple[float, float],
        epsilon: float,
        decays: tuple[float, ...],
    ) -> None:
        self.eta = eta
        self.betas = betas
        self.epsilon = epsilon
        self.decays = decays
        self.xp = array_namespace(*params)
        self.first = [self.xp.zeros_like(theta) for theta in params]
        self.second = [self.xp.zeros_like(theta) for theta in params]

    def update(self, params: Params, gradient: Params, step: int) -> None:
        """See `gradient_descent.UpdateRule.update`."""
        beta1, beta2 = self.betas
        rate = self.eta / (1.0 - beta1**step)
        root = (1.0 - beta2**step) ** -0.5
        for theta, slope, first, second, decay in zip(
            params, gradient, self.first, self.second, self.decays, strict=True
        ):
            first *= beta1
            first += (1.0 - beta1) * slope
            second *= beta2
            second += (1.0 - beta2) * slope * slope
            theta *= 1.0 - self.eta * decay
            theta -= rate * first / (root * self.xp.sqrt(second) + self.epsilon)

    def memory(self) -> Mapping[str, list[Array]]:
        """See `gradient_descent.UpdateRule.memory`."""
        return {"first": self.first, "second": self.second}


def adamw(
    model: Model,
    params: Params,
    *,
    eta: float,
    steps: ArrayLike,
    beta1: float = 0.9,
    beta2: float = 0.98,
    adam_epsilon: float = 1e-8,
    checkpoint: Checkpoint | None = None,
    on_record: OnRecord | None = None,
) -> Trajectory:
    """Iterate AdamW step by step and record the observables.

    See `trajectory.Solver`.  Each step subtracts ηwθ from the parameters, with w the model's
    ``decays``, independently of the gradient.

    Parameters
    ----------
    beta1, beta2
        Decay factors of the moments' averages; by default those of Power et al. (2022), whose
        networks were the first to grok.
    adam_epsilon
        ε of the denominator √v + ε, positive.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    check_rate(eta)
    check_betas(beta1, beta2)
    if not 0 < adam_epsilon < math.inf:
        raise ValueError(f"adam_epsilon = {adam_epsilon}: must be positive and finite")
    if not all(0 <= decay < math.inf for decay in model.decays):
        raise ValueError(f"decays = {model.decays}: must be finite and not negative")
    rule = _AdamW(params, eta, (beta1, beta2), adam_epsilon, model.decays)
    return follow(model, SingleSteps(model, params, rule), steps, checkpoint, on_record)
