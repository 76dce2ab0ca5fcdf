"""The two-point model's orbit b(S), and the times along it, in closed form or by quadrature.

With u = σS, δ = 1-2λ, v = e^{(1+δ)u} and β = b₀ - b, which never decreases,

    σ²β = (u - u₀) - ln[(1-δv)/(1-δv₀)]/δ,    du/dβ = σ²h,    h = (1-δv)/(1+v)

(Paper B, App. E; derived in docs/theory.md).  An orbit is followed in a coordinate y that
increases with time and in which u, β and h are explicit, keep their relative precision
however close S has come to S_∞, and change over distances of order 1:

    δ > 0, S < S_∞:  y = ln[δv/(1-δv)]        δ > 0, S > S_∞:  y = -ln(δv-1)
    δ ≤ 0:           y = u.

Time is ηt = ∫ e^β dβ/(e^{b₀}C), conformal time ητ = ∫ dβ/C.  In this module the fields of a
problem are float64 arrays (n,), one for each of n orbits.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_expit

from linear_grokking.theory.two_point import TwoPoint, log_mean, settled_output

_PANELS = 20
_GRADED = 6
_NODE, _WEIGHT = np.polynomial.legendre.leggauss(12)
_CHUNK = 2000  # orbits whose quadrature nodes are held at once
_NEGLIGIBLE = 1e-9
_LAST_START = 700.0


class Point(NamedTuple):
    """What is explicit at a coordinate y: u, β, h and dβ/dy."""

    u: np.ndarray
    fall: np.ndarray
    h: np.ndarray
    fall_slope: np.ndarray


def coordinate(u: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """Return y at the output u.

    S = S_∞, where nothing but b moves, counts as e^{-700} away from it.
    """
    end = settled_output(delta)
    distance = np.where(delta > 0.0, (1.0 + delta) * np.abs(u - np.minimum(end, 1e300)), 1.0)
    with np.errstate(divide="ignore"):
        y = -distance - np.log(-np.expm1(-distance))
    return np.where(delta > 0.0, np.minimum(y, _LAST_START), u)


def point(y: np.ndarray, orbit: TwoPoint) -> Point:
    """Return the orbit's point at coordinates y of shape (..., n), n orbits."""
    delta, u0, variance = orbit.distance, orbit.u0, orbit.sigma**2
    start = _position(coordinate(u0, delta), delta, u0)
    u, rest, h, slope = _position(y, delta, u0)
    return Point(u, (u - u0 + (rest - start[1])) / variance, h, slope / variance)


def _position(y: np.ndarray, delta: np.ndarray, u0: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return u, -ln|1-δv|/δ, h and (du/dy)/h at y."""
    above = u0 > settled_output(delta)
    branches: tuple[tuple[np.ndarray, Callable], ...] = (
        ((delta > 0.0) & ~above, _below_the_end),
        ((delta > 0.0) & above, _above_the_end),
        (delta == 0.0, _critical),
        (delta < 0.0, _separable),
    )
    parts = tuple(np.empty(y.shape) for _ in range(4))
    for members, branch in branches:
        if np.any(members):
            for part, value in zip(parts, branch(y[..., members], delta[members]), strict=True):
                part[..., members] = value
    return parts


def _below_the_end(y: np.ndarray, delta: np.ndarray) -> tuple[np.ndarray, ...]:
    filled = expit(y)  # δv
    log_filled = log_expit(y)
    u = (log_filled - np.log(delta)) / (1.0 + delta)
    rest = (np.maximum(y, 0.0) + np.log1p(np.exp(-np.abs(y)))) / delta
    h = expit(-y) * delta / (delta + filled)
    return u, rest, h, (delta + filled) / (delta * (1.0 + delta))


def _above_the_end(y: np.ndarray, delta: np.ndarray) -> tuple[np.ndarray, ...]:
    u = (-log_expit(y) - np.log(delta)) / (1.0 + delta)
    with np.errstate(over="ignore"):
        h = -delta / (1.0 + (1.0 + delta) * np.exp(y))
    return u, y / delta, h, (1.0 + delta * expit(y)) / (delta * (1.0 + delta))


def _critical(y: np.ndarray, delta: np.ndarray) -> tuple[np.ndarray, ...]:
    with np.errstate(over="ignore"):
        v = np.exp(y)
    return y, v, expit(-y), 1.0 + v


def _separable(y: np.ndarray, delta: np.ndarray) -> tuple[np.ndarray, ...]:
    log_v = (1.0 + delta) * y
    h = -delta + (1.0 + delta) * expit(-log_v)
    return y, np.logaddexp(0.0, log_v + np.log(-delta)) / -delta, h, 1.0 / h


def log_time(y: np.ndarray, orbit: TwoPoint) -> np.ndarray:
    """Return ln(ηt) at coordinates y (n,) of n orbits; -inf at the start."""
    return _log_integral(y, orbit, 1.0) - orbit.b0 - log_mean(orbit.u0, orbit.distance)


def log_conformal_time(y: np.ndarray, orbit: TwoPoint) -> np.ndarray:
    """Return ln(ητ) at coordinates y (n,) of n orbits; -inf at the start."""
    return _log_integral(y, orbit, 0.0) - log_mean(orbit.u0, orbit.distance)


def _log_integral(y: np.ndarray, orbit: TwoPoint, rate: float) -> np.ndarray:
    """Return ln ∫ e^{rate·β} C(u₀)/C dβ from the start to y."""
    if y.size > _CHUNK:
        halves = slice(y.size // 2), slice(y.size // 2, None)
        return np.concatenate([_log_integral(y[half], orbit[half], rate) for half in halves])
    start = coordinate(orbit.u0, orbit.distance)
    settled = np.maximum(start, _settled_coordinate(orbit))
    moving_end = np.clip(y, start, settled)

    def exponent(at: Point) -> np.ndarray:
        change = log_mean(at.u, orbit.distance) - log_mean(orbit.u0, orbit.distance)
        return rate * at.fall - change

    end = point(moving_end, orbit)
    end_exponent = exponent(end)
    nodes, weights = _rule(moving_end - start, (rate + (orbit.sigma * end.h) ** 2) * end.fall_slope)
    inside = point(moving_end - nodes, orbit)
    growth = np.exp(exponent(inside) - end_exponent)
    with np.errstate(divide="ignore"):
        moving = end_exponent + np.log(np.sum(weights * growth * inside.fall_slope, axis=0))

    # Once h has settled the exponent is linear in β, and the integral closed.
    last = point(np.maximum(y, start), orbit)
    rest = last.fall - end.fall
    steepness = (rate + (orbit.sigma * np.maximum(-orbit.distance, 0.0)) ** 2) * rest
    shrink = -np.expm1(-steepness) / np.where(steepness > 0.0, steepness, 1.0)
    shrink = np.where(steepness > 0.0, shrink, 1.0)
    with np.errstate(divide="ignore"):
        tail = exponent(last) + np.log(np.where(y > settled, rest, 0.0) * shrink)
    return np.logaddexp(moving, tail)


def _settled_coordinate(orbit: TwoPoint) -> np.ndarray:
    """Return the y from which h is at its limit for all purposes."""
    small = _NEGLIGIBLE / np.maximum(orbit.sigma, 1.0)
    margin = np.maximum(-orbit.distance, 0.0)
    open_ = np.maximum(1.0 + np.minimum(orbit.distance, 0.0), np.finfo(float).tiny)
    with np.errstate(over="ignore"):
        beyond = np.log(open_ / (1e-3 * _NEGLIGIBLE * np.maximum(margin, small))) / open_
    return np.where(orbit.distance < 0.0, beyond, -np.log(small))


def _rule(length: np.ndarray, steepness: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Gauss-Legendre nodes, as distances from the end, and weights, both (k, n).

    The integrand grows like e^{steepness·y} towards the end.  The interval is cut into equal
    panels, the last of them into graded ones down to 1/steepness.
    """
    width = length / _PANELS
    with np.errstate(divide="ignore", over="ignore"):
        finest = np.minimum(width, 0.5 / steepness)
    ratio = np.divide(finest, width, out=np.ones_like(width), where=width > 0.0)
    graded = width * ratio ** np.linspace(1.0, 0.0, _GRADED + 1)[:, np.newaxis]
    equal = width * np.arange(2, _PANELS + 1)[:, np.newaxis]
    edges = np.concatenate([np.zeros((1, len(width))), graded, equal])
    half = 0.5 * np.diff(edges, axis=0)[:, np.newaxis]
    middle = 0.5 * (edges[1:] + edges[:-1])[:, np.newaxis]
    nodes, weights = middle + half * _NODE[:, np.newaxis], half * _WEIGHT[:, np.newaxis]
    return np.concatenate(nodes), np.concatenate(weights)
