"""Full-batch methods other than gradient descent on the linear model, exact in the eigenbasis.

Their parameters are named as in PyTorch, or as by the method's authors.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.models.contract import Params
from linear_grokking.models.linear import LinearModel
from linear_grokking.runtime.checkpoints import Checkpoint
from linear_grokking.shapes import Float
from linear_grokking.solvers.spectral import check_curvature, evaluate
from linear_grokking.solvers.trajectory import OnRecord, Trajectory, check_rate
from linear_grokking.theory import first_order


@dataclass(frozen=True)
class WithMemory:
    """The `Evolution` of a method that keeps one memory variable per parameter."""

    method: first_order.Method
    name: str

    def check(self, largest: float) -> None:
        """See `Evolution.check`."""
        check_curvature(self.name, self.method.eta, largest, self.method.largest_curvature)

    def relaxation(
        self,
        curvatures: Float[np.ndarray, " K"],
        squares: Float[np.ndarray, " K"],
        steps: Float[np.ndarray, " T"],
    ) -> tuple[Float[np.ndarray, "T K"], Float[np.ndarray, "T K"]]:
        """See `Evolution.relaxation`."""
        left = first_order.residuals(self.method, curvatures, steps)
        return left, 1.0 - left


class ConjugateGradients:
    """The `Evolution` of conjugate gradients.

    Its polynomials depend on the initial errors, and it never diverges.
    """

    def check(self, largest: float) -> None:
        """See `Evolution.check`."""

    def relaxation(
        self,
        curvatures: Float[np.ndarray, " K"],
        squares: Float[np.ndarray, " K"],
        steps: Float[np.ndarray, " T"],
    ) -> tuple[Float[np.ndarray, "T K"], Float[np.ndarray, "T K"]]:
        """See `Evolution.relaxation`."""
        left = first_order.conjugate_gradients(curvatures, squares, steps)
        return left, 1.0 - left


def with_momentum(
    model: LinearModel,
    params: Params,
    *,
    eta: float,
    momentum: float,
    nesterov: bool = False,
    steps: ArrayLike,
    checkpoint: Checkpoint | None = None,
    on_record: OnRecord | None = None,
) -> Trajectory:
    """Evaluate gradient descent with momentum, Polyak's or Nesterov's.

    The method is that of ``torch.optim.SGD``; see `trajectory.Solver`, `spectral.evaluate` and
    `first_order.Momentum`.  The relative error of a mode is about 1e-16 times the step number.
    """
    check_rate(eta)
    evolution = WithMemory(first_order.Momentum(eta, momentum, nesterov), "momentum")
    return evaluate(model, params, evolution, steps, on_record)


def grokfast(
    model: LinearModel,
    params: Params,
    *,
    eta: float,
    grokfast_alpha: float,
    grokfast_lamb: float,
    steps: ArrayLike,
    checkpoint: Checkpoint | None = None,
    on_record: OnRecord | None = None,
) -> Trajectory:
    """Evaluate gradient descent with amplified slow gradients (Lee et al. 2024).

    See `trajectory.Solver`, `spectral.evaluate` and `first_order.Grokfast`.
    """
    check_rate(eta)
    method = first_order.Grokfast(eta, grokfast_alpha, grokfast_lamb)
    return evaluate(model, params, WithMemory(method, "Grokfast"), steps, on_record)


def conjugate_gradients(
    model: LinearModel,
    params: Params,
    *,
    steps: ArrayLike,
    checkpoint: Checkpoint | None = None,
    on_record: OnRecord | None = None,
) -> Trajectory:
    """Evaluate conjugate gradients on the training loss, weight decay included.

    See `trajectory.Solver`, `spectral.evaluate` and `first_order.conjugate_gradients`.
    """
    return evaluate(model, params, ConjugateGradients(), steps, on_record)
