"""Literal Adam, the paper's alternative to gradient descent (Paper B, App. F.2).

Under Adam the gradients of the logistic model fall like e^{-ηt}, and Adam divides them by their
own size: they still matter when they are far too small for a floating-point number.  They are
therefore given as e^L times numbers of order 1, and the moments are kept in a unit that falls
with them.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.models.contract import Model, Params
from linear_grokking.runtime.arrays import Array, array_namespace
from linear_grokking.runtime.checkpoints import Checkpoint
from linear_grokking.solvers.gradient_descent import LONGEST_STRETCH, SingleSteps, follow
from linear_grokking.solvers.trajectory import OnRecord, Trajectory, check_rate

if TYPE_CHECKING:
    from linear_grokking.models.passes.stretches import Stretches


class _Adam:
    """The update of Kingma and Ba (2015), Algorithm 1, with bias correction.

    The first moments are e^U `first` and the second moments e^{2U} `second`, with U the `unit`
    (R,).  U is the largest L so far, lowered at each step at the rate of the more slowly decaying
    moment: in this unit neither moment overflows, and at least one of them is not small.
    """

    def __init__(
        self, params: Params, eta: float, betas: tuple[float, float], epsilon: float
    ) -> None:
        self.eta = eta
        self.betas = betas
        self.log_betas = _log(betas[0]), _log(betas[1])
        self.log_epsilon = _log(epsilon)
        self.xp = array_namespace(*params)
        self.first = [self.xp.zeros_like(theta) for theta in params]
        self.second = [self.xp.zeros_like(theta) for theta in params]
        first_entries = params[0].reshape((params[0].shape[0], -1))[:, 0]
        self.unit = self.xp.full_like(first_entries, -math.inf)

    def update(self, params: Params, gradient: Params, step: int) -> None:
        """See `UpdateRule.update`; ``gradient`` is `Model.scaled_gradient`."""
        xp, (beta1, beta2), (log_beta1, log_beta2) = self.xp, self.betas, self.log_betas
        *slopes, scale = gradient
        unit = xp.maximum(scale, self.unit + max(log_beta1, 0.5 * log_beta2))
        fallen = self.unit - unit
        logs = (log_beta1 + fallen, log_beta2 + 2.0 * fallen, scale - unit, self.log_epsilon - unit)
        factors = xp.exp(xp.stack(logs))
        self.unit[...] = unit
        rate = self.eta / (1.0 - beta1**step)
        root = (1.0 - beta2**step) ** -0.5
        for theta, slope, first, second in zip(
            params, slopes, self.first, self.second, strict=True
        ):
            # Realizations on the leading axis of both.
            kept1, kept2, new, guard = factors.reshape((*factors.shape, *(1,) * (theta.ndim - 1)))
            slope = new * slope
            first *= kept1
            first += (1.0 - beta1) * slope
            second *= kept2
            second += (1.0 - beta2) * slope * slope
            size = root * xp.sqrt(second) + guard
            # Parameters that never had a gradient do not move, even with ε = 0.
            theta -= rate * first / xp.where(size > 0.0, size, 1.0)

    def memory(self) -> Mapping[str, list[Array]]:
        return {"first": self.first, "second": self.second, "unit": [self.unit]}


class _CompiledSteps(SingleSteps):
    """Like `SingleSteps`, but many steps per call while the slopes are not too small."""

    def __init__(self, model: Model, params: Params, rule: _Adam, stretches: "Stretches") -> None:
        super().__init__(model, params, rule, model.scaled_gradient)
        self._stretches = stretches
        self._moments = tuple(rule.first), tuple(rule.second)
        self._units = rule.unit
        # Always the same types; otherwise Numba would compile the loops again.
        betas = float(rule.betas[0]), float(rule.betas[1])
        self._rates = float(rule.eta), betas, rule.log_betas, rule.log_epsilon

    def advance(self, most: int) -> None:
        """See `SingleSteps.advance`."""
        taken = self._stretches.adapt(
            self.params,
            self.clocks["conformal_time"],
            self._moments,
            self._units,
            rates=self._rates,
            done=self.step,
            steps=min(most, LONGEST_STRETCH),
        )
        self.step += taken
        if not taken:
            super().advance(1)


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


def check_betas(beta1: float, beta2: float) -> None:
    """Raise ValueError unless the moments' decay factors lie in [0, 1)."""
    for name, beta in (("beta1", beta1), ("beta2", beta2)):
        if not 0 <= beta < 1:
            raise ValueError(f"{name} = {beta}: must lie between 0 (included) and 1 (excluded)")


def adam(
    model: Model,
    params: Params,
    *,
    eta: float,
    steps: ArrayLike,
    beta1: float = 0.9,
    beta2: float = 0.999,
    adam_epsilon: float = 0.0,
    checkpoint: Checkpoint | None = None,
    on_record: OnRecord | None = None,
) -> Trajectory:
    """Iterate Adam step by step and record the observables (Paper B, App. F.2).

    See `trajectory.Solver`; parameters should be float64.  Small training sets of the logistic
    model are trained in compiled loops.

    Parameters
    ----------
    beta1, beta2
        Decay factors of the moments' averages; the paper's are 0.8 and 0.9.
    adam_epsilon
        ε of the denominator √v + ε, 0 or larger.  Gradients fall below any ε (below the
        customary 1e-8 after some 2000 steps at η = 0.01), and the parameters then freeze; 0
        omits ε.

    Raises
    ------
    ValueError
        If an argument is out of range, or the model has weight decay.
    """
    check_rate(eta)
    check_betas(beta1, beta2)
    if not 0 <= adam_epsilon < np.inf:
        raise ValueError(f"adam_epsilon = {adam_epsilon}: must be finite, 0 or larger")
    if any(model.decays):
        raise ValueError(f"weight decay {max(model.decays):g}: Adam knows none here")
    stretches = model.stretches()
    if stretches is not None:
        params = tuple(map(np.ascontiguousarray, params))
    rule = _Adam(params, eta, (beta1, beta2), adam_epsilon)
    if stretches is None:
        walker = SingleSteps(model, params, rule, model.scaled_gradient)
    else:
        walker = _CompiledSteps(model, params, rule, stretches)
    return follow(model, walker, steps, checkpoint, on_record)
