"""Stretches of many gradients in compiled loops."""

import numpy as np

from linear_grokking.models.passes import row_loops
from linear_grokking.shapes import Float


class Stretches:
    """Many gradients in one call: of small sets they take less time than Python's calls.

    Each method does what the solver that calls it does without.  All arrays are float64 and
    C-contiguous; states are (R, d + 2): S, b and conformal time τ, or log(1 + τ).

    Parameters
    ----------
    inputs : (R, N, d)
    number
        By which the loops know the slope of the loss (`weighing`).
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
        decays = float(decays[0]), float(decays[1])  # of one type, or loops would be compiled anew
        self._sets = inputs, np.ascontiguousarray(signs), number, bias, decays

    def descend(self, state: Float[np.ndarray, "R width"], *, eta: float, steps: int) -> None:
        """Take GD steps from (S, b, τ), in place (Paper B, Sec. 2)."""
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
        """Take Adam's steps, in place, as far as the slopes do not fall below e^-600.

        Parameters
        ----------
        params
            S and b.
        clock
            τ.
        moments, units
            First and second ones of S and b, and U: see `solvers.adam`.
        rates
            η, decay factors of the moments, their logarithms, and that of ε.
        done
            Steps taken before, which the correction of the moments' bias counts.
        steps
            How many are wanted.

        Returns
        -------
        int
            How many were taken: fewer where, for one of the sets, the next one's slopes
            are smaller.
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
