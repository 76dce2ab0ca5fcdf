"""Gradient flow of the logistic model as an equation in s = log(1 + t), for `rkc.RKC2`."""

import math

import numpy as np

from linear_grokking.models.logistic import LogisticModel
from linear_grokking.runtime.arrays import Array, like
from linear_grokking.shapes import Float
from linear_grokking.solvers.log_flow.curvature import LargestCurvature
from linear_grokking.solvers.log_flow.rkc import Point, System

_CURVATURE_MARGIN = 1.05
"""Factor on the estimated largest curvature, as the curvature grows during a step."""


class LogTimeFlow(System):
    """The flow for y = (S, b, log(1 + τ)) of each realization, (R, d + 2).

    The logarithm of conformal time is smooth however τ grows: like t while b stays constant,
    like a power of t, or like log t.
    """

    def __init__(self, model: LogisticModel, eta: float, rtol: float) -> None:
        self.curvature = LargestCurvature(model)
        self._model = model
        self._decay, self._bias_decay = model.decays
        self._stretches = model.stretches()
        self._eta = eta
        self._rtol = rtol
        self._xp = model.xp
        self._unit_norm = 1.0 / model.input_size

    def pack(self, state: Float[Array, "R width"]) -> Float[Array, "R width"]:
        """Return y from (S, b, τ), (R, d + 2)."""
        xp = self._xp
        return xp.concat([state[:, :-1], xp.log1p(state[:, -1:])], axis=-1)

    def unpack(self, y: Float[Array, "*S width"]) -> Float[Array, "*S width"]:
        """Return (S, b, τ) from y, both (..., R, d + 2)."""
        xp = self._xp
        return xp.concat([y[..., :-1], xp.expm1(y[..., -1:])], axis=-1)

    def rate(
        self, s: float, y: Float[Array, "R width"]
    ) -> tuple[Float[Array, "R width"], Float[Array, "R N"]]:
        """Return dy/ds and the training outputs (R, N); see `rkc.System.rate`."""
        xp = self._xp
        by_weights, by_bias, outputs = self._model.gradient_and_outputs(y[:, :-2], y[:, -2])
        factor = -self._eta * math.exp(s)
        rate = xp.empty_like(y)
        rate[:, :-2] = factor * (by_weights + self._decay * y[:, :-2])
        rate[:, -2] = factor * (by_bias + self._bias_decay * y[:, -2])
        rate[:, -1] = xp.exp(s + y[:, -2] - y[:, -1])
        return rate, outputs

    def take_stages(
        self,
        start: Point,
        s_end: float,
        weights: Float[np.ndarray, "stages 5"],
        times: Float[np.ndarray, " stages"],
    ) -> Point:
        """See `rkc.System.take_stages`."""
        if not self._stretches:
            return super().take_stages(start, s_end, weights, times)
        found = self._stretches.log_time_stages(
            start.y,
            start.rate,
            eta=self._eta,
            s=start.s,
            step=s_end - start.s,
            weights=weights,
            times=times,
        )
        return Point(s_end, *found)

    def spectral_radius(self, s: float, y: Array, known: Array, *, anew: bool) -> float:
        """See `rkc.System.spectral_radius`."""
        xp = self._xp
        curvature = self.curvature.estimate(known, anew=anew) + max(self._decay, self._bias_decay)
        by_loss = (_CURVATURE_MARGIN * self._eta * math.exp(s)) * curvature
        by_clock = xp.exp(s + y[:, -2] - y[:, -1])
        return float(xp.max(xp.maximum(by_loss, by_clock)))

    def error_norm(self, error: Array, y: Array, y_new: Array) -> float:
        """See `rkc.System.error_norm`; the worst realization counts."""
        squares = self._parameter_change(error, y_new) + error[:, -1] ** 2
        return float(self._xp.max(squares)) ** 0.5 / self._rtol

    def has_arrived(self, end: Point, t_end: float) -> bool:
        """Tell whether until ``t_end`` no parameter will change by more than is tolerated.

        The loss is convex, so along the flow its gradient only gets shorter.  A set that is
        not separable, without bias or with labels of both signs, has a minimum at finite
        parameters, around which the flow gets ever stiffer in log t.  With decay w of all
        parameters every set has one, no further away than the gradient's length over w.
        """
        if not self._model.may_have_minimum:
            return False
        left = t_end - math.expm1(end.s)
        convexity = min(self._model.decays) if self._model.has_bias else self._decay
        if convexity > 0:
            left = min(left, 1.0 / (self._eta * convexity))
        left *= math.exp(-end.s)
        squares = self._parameter_change(left * end.rate, end.y)
        return float(self._xp.max(squares)) ** 0.5 < self._rtol

    def _parameter_change(self, change: Array, y: Array) -> Array:
        """Return the squared change (R,) of S and b relative to their size."""
        xp = self._xp
        weights, weights_change = y[:, :-2], change[:, :-2]
        size = xp.sqrt(xp.vecdot(weights, weights)) + self._unit_norm
        bias = change[:, -2] / (1.0 + xp.abs(y[:, -2]))
        return xp.vecdot(weights_change, weights_change) / size**2 + bias**2

    def interpolate(
        self, start: Point, end: Point, times: Float[np.ndarray, " k"]
    ) -> Float[Array, "k R width"]:
        """Return states (S, b, τ), (k, R, d + 2), inside a step.

        Interpolation is cubic (Hermite), from values and derivatives at both ends.
        """
        step = end.s - start.s
        at = (times - start.s) / step
        left, right = (1.0 - at) ** 2, at**2
        weights = np.array(
            [
                left * (1.0 + 2.0 * at),
                right * (3.0 - 2.0 * at),
                step * left * at,
                -step * right * (1.0 - at),
            ]
        ).T
        columns = self._xp.stack([start.y, end.y, start.rate, end.rate])
        y = like(columns, weights) @ columns.reshape((4, -1))
        return self.unpack(y.reshape((len(at), *start.y.shape)))
