"""Stabilized explicit Runge-Kutta-Chebyshev method of second order (RKC2).

Sommeijer, Shampine and Verwer, *RKC: an explicit solver for parabolic PDEs*, J. Comput.
Appl. Math. 88 (1998) 315.  The method is for equations whose Jacobian has a real negative
spectrum.  With s stages it is stable up to a step of about 0.65 s²/ρ, where ρ is the spectral
radius, so that the gradients needed over a stiff stretch grow like the square root of its
stiffness.
"""

import math
from abc import ABC, abstractmethod
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.runtime.arrays import Array, array_namespace, like
from linear_grokking.shapes import Float

_DAMPING = 2.0 / 13.0
_SAFETY = 0.8
_SHRINK, _GROW = 0.1, 10.0
_STEPS_PER_RADIUS = 20  # accepted steps after which the spectral radius is estimated anew
_REJECTIONS = 50
_MOST_STAGES = 1000


class Point(NamedTuple):
    """A time, the state and F there, and what else `System.rate` returned."""

    s: float
    y: Array
    rate: Array
    known: Any


class System(ABC):
    """An equation dy/ds = F(s, y) for an array y of any library and shape."""

    @abstractmethod
    def rate(self, s: float, y: Float[Array, "*S"]) -> tuple[Float[Array, "*S"], Any]:
        """Return F(s, y), and whatever else is known once it is computed."""

    def at(self, s: float, y: Array) -> Point:
        """Return the point (s, y)."""
        return Point(s, y, *self.rate(s, y))

    @abstractmethod
    def spectral_radius(self, s: float, y: Array, known: Any, *, anew: bool) -> float:
        """Return an upper estimate of the spectral radius of ∂F/∂y.

        ``known`` is what `rate` returned besides F(s, y).  The estimate may be
        extrapolated from an earlier one unless it is asked for ``anew``.
        """

    @abstractmethod
    def error_norm(self, error: Array, y: Array, y_new: Array) -> float:
        """Return the size of a step's error in units of the tolerance."""

    def take_stages(
        self,
        start: Point,
        s_end: float,
        weights: Float[np.ndarray, "stages 5"],
        times: Float[np.ndarray, " stages"],
    ) -> Point:
        """Return where one step of the method leads.

        Parameters
        ----------
        weights
            Each stage's coefficients of y₀, F₀, the latest even-numbered stage, the latest
            odd-numbered stage, and F at the latest stage; those of F lack the factor of the
            step's length.  Stages are numbered from 1; those before the first have weight 0.
        times
            Times of the stages, as fractions of the step; the last is 1.
        """
        xp = array_namespace(start.y)
        step = s_end - start.s
        y, rate = xp.reshape(start.y, (-1,)), xp.reshape(start.rate, (-1,))
        columns = xp.stack([y, rate, y, y, rate])
        scaled = like(columns, weights * np.array([1.0, step, 1.0, 1.0, step]))
        for stage, time in enumerate(times.tolist(), start=1):
            columns[2 + stage % 2] = scaled[stage - 1] @ columns
            y = xp.reshape(columns[2 + stage % 2], start.y.shape)
            rate, known = self.rate(start.s + time * step, y)
            columns[4] = xp.reshape(rate, (-1,))
        return Point(s_end, xp.asarray(y, copy=True), rate, known)


class StepSizeError(LinearGrokkingError):
    """No step, however short, met the tolerance."""


class RKC2:
    """An integration by RKC2 with step-size control, one accepted step at a time.

    Attributes
    ----------
    end, start
        Where the last accepted step ended, and where it began.
    rates
        Evaluations of F so far.
    """

    def __init__(self, system: System, start: Point) -> None:
        self._system = system
        self.start = self.end = start
        self.rates = 1
        self._step = 0.0  # the next step's length; 0 before the first
        self._last_step = 0.0
        self._last_error = 0.0
        self._since_radius = _STEPS_PER_RADIUS

    def advance(self, s_end: float) -> None:
        """Take one step, of the length that the tolerance allows, not beyond ``s_end``.

        Raises
        ------
        StepSizeError
            If steps down to rounding length are rejected: F is not smooth here, or y is not
            finite.
        """
        here = self.end
        if not self._step:
            self._step = self._first_step(s_end - here.s)
        anew = self._since_radius >= _STEPS_PER_RADIUS
        for _ in range(_REJECTIONS):
            radius = self._system.spectral_radius(here.s, here.y, here.known, anew=anew)
            if not math.isfinite(radius):
                break
            if anew:
                self._since_radius = 0
            longest = 0.65 * (_MOST_STAGES**2 - 1) / radius if radius > 0 else math.inf
            step = self._fit(min(self._step, longest), s_end - here.s)
            stages = max(2, 1 + math.isqrt(math.ceil(1.54 * step * radius + 1.0)))
            s = s_end if step == s_end - here.s else here.s + step
            there = self._system.take_stages(here, s, *_coefficients(stages))
            self.rates += stages
            estimate = 0.8 * (here.y - there.y) + (0.4 * step) * (here.rate + there.rate)
            error = self._system.error_norm(estimate, here.y, there.y)
            if error <= 1.0:
                self._accept(there, step, error)
                return
            shrink = _SAFETY / error ** (1.0 / 3.0) if math.isfinite(error) else _SHRINK
            self._step = step * max(_SHRINK, shrink)
            anew = self._since_radius > 0
        raise StepSizeError(f"no step from s={here.s:g} meets the tolerance")

    def _accept(self, there: Point, step: float, error: float) -> None:
        """Move on, and choose the next step's length from this error and the last one."""
        error = max(error, 1e-8)
        growth = _SAFETY / error ** (1.0 / 3.0)
        if self._last_step:
            growth *= (step / self._last_step) * (self._last_error / error) ** (1.0 / 3.0)
        self._last_step, self._last_error = step, error
        self._step = step * min(_GROW, max(_SHRINK, growth))
        self._since_radius += 1
        self.start, self.end = self.end, there

    @staticmethod
    def _fit(step: float, remaining: float) -> float:
        """Return a step that ends exactly at the end, or leaves no sliver before it."""
        if 1.01 * step >= remaining:
            return remaining
        return 0.5 * remaining if 2.0 * step > remaining else step

    def _first_step(self, span: float) -> float:
        """Return a first step from the change of F over a trial Euler step."""
        here = self.end
        radius = self._system.spectral_radius(here.s, here.y, here.known, anew=True)
        self._since_radius = 0
        trial = min(span, 1.0 / radius if radius > 0 else span)
        there = self._system.at(here.s + trial, here.y + trial * here.rate)
        self.rates += 1
        error = self._system.error_norm(trial * (there.rate - here.rate), here.y, there.y)
        if not math.isfinite(error):
            return 1e-3 * trial
        return min(span, trial / max(2.0 * math.sqrt(error), 1e-3))

    def control(self) -> Float[np.ndarray, " 5"]:
        """Return the memory of the step control, (5,) float64."""
        return np.array(
            [self._step, self._last_step, self._last_error, self._since_radius, self.rates],
            dtype=float,
        )

    def restore_control(self, control: np.ndarray) -> None:
        """Restore what `control` returned; the steps that follow are those without a break."""
        self._step, self._last_step, self._last_error = control[:3].tolist()
        self._since_radius, self.rates = control[3:].astype(int).tolist()


@lru_cache(maxsize=4096)
def _coefficients(stages: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights and times of the stages, as `System.take_stages` takes them."""
    w0 = 1.0 + _DAMPING / stages**2
    # Chebyshev polynomials T_j(w0) and their first two derivatives.
    t = np.zeros((3, stages + 1))
    t[0, :2] = 1.0, w0
    t[1, 1] = 1.0
    for j in range(2, stages + 1):
        t[0, j] = 2.0 * w0 * t[0, j - 1] - t[0, j - 2]
        t[1, j] = 2.0 * (t[0, j - 1] + w0 * t[1, j - 1]) - t[1, j - 2]
        t[2, j] = 2.0 * (2.0 * t[1, j - 1] + w0 * t[2, j - 1]) - t[2, j - 2]
    w1 = t[1, stages] / t[2, stages]
    b = np.empty(stages + 1)
    b[2:] = t[2, 2:] / t[1, 2:] ** 2
    b[:2] = b[2]
    a = 1.0 - b * t[0]
    weights = np.zeros((stages, 5))
    weights[0] = [1.0, b[1] * w1, 0.0, 0.0, 0.0]
    for j in range(2, stages + 1):
        mu, nu = 2.0 * b[j] * w0 / b[j - 1], -b[j] / b[j - 2]
        mu_rate = 2.0 * b[j] * w1 / b[j - 1]
        weights[j - 1, [0, 1, 4]] = 1.0 - mu - nu, -a[j - 1] * mu_rate, mu_rate
        weights[j - 1, 2 + (j - 1) % 2] = mu
        weights[j - 1, 2 + j % 2] = nu
    times = np.empty(stages)
    times[1:] = w1 * t[2, 2:] / t[1, 2:]
    times[0] = times[1] / t[1, 2]
    times[-1] = 1.0  # exactly, without rounding
    return weights, times
