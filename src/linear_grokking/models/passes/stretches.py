"""Stretches of many gradients in compiled loops."""

import numpy as np

from linear_grokking.models.passes import row_loops
from linear_grokking.shapes import Float


class Stretches:
    """Loops that take many gradients in one call, as small sets take less time than a Python call.

    Each method does the same as the Python steps of the solver that calls it.  All arrays are
    float64 and C-contiguous; states are (R, d + 2): S, b and conformal time τ, or log(1 + τ).

    Parameters
    ----------
    inputs : (R, N, d)
    number
        Number of the loss's slope in the loops (`weighing`).
    signs : (R, N)
        -y of each sample.
    bias
        Whether b is trained.
    decays
        Weight decay of S and of b.
    """

    def __init__(
        self,
        inputs: Float[np.ndarray, "R N d"],
        number: int,
        signs: Float[np.ndarray, "R N"],
        *,
        bias: bool,
        decays: tuple[float, float],
    ) -> None:
        # Of one type, as the loops are compiled for each.
        decays = float(decays[0]), float(decays[1])
        self._sets = inputs, np.ascontiguousarray(signs), number, bias, decays

    def descend(self, state: Float[np.ndarray, "R width"], *, eta: float, steps: int) -> None:
        """Take GD steps from (S, b, τ), in place (Paper B, Sec. 3.1)."""
        row_loops.descend(self._sets, eta, steps, state)

    def adapt(
        self,
        params: tuple[Float[np.ndarray, "R d"], Float[np.ndarray, " R"]],
        clock: Float[np.ndarray, " R"],
        moments: tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
        units: Float[np.ndarray, " R"],
        *,
        rates: tuple[float, tuple[float, float], tuple[float, float], float],
        done: int,
        steps: int,
    ) -> int:
        """Take Adam's steps in place, until a slope falls below e^-600.

        Parameters
        ----------
        params
            S and b.
        clock
            τ.
        moments, units
            First and second moments of S and b, and their units U; see `solvers.adam`.
        rates
            η, the decay factors of the moments, their logarithms, and the logarithm of ε.
        done
            Steps taken before, which enter the bias correction of the moments.
        steps
            Number of steps to take.

        Returns
        -------
        int
            Number of steps taken; fewer if the slopes of one of the sets would be smaller at
            the next.
        """
        return row_loops.adapt(self._sets, rates, done, steps, params, clock, moments, units)

    def log_time_stages(
        self,
        y: Float[np.ndarray, "R width"],
        rate: Float[np.ndarray, "R width"],
        *,
        eta: float,
        s: float,
        step: float,
        weights: Float[np.ndarray, "stages 5"],
        times: Float[np.ndarray, " stages"],
    ) -> tuple[
        Float[np.ndarray, "R width"], Float[np.ndarray, "R width"], Float[np.ndarray, "R N"]
    ]:
        """Take the stages of `rkc.System.take_stages` for y = (S, b, log(1 + τ)) in log time.

        Returns
        -------
        y, rate : (R, d + 2)
            The last stage, and dy/ds there.
        outputs : (R, N)
            On the training set.
        """
        return row_loops.log_time_stages(self._sets, eta, s, y, rate, step, weights, times)
