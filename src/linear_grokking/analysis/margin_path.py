"""The late path of gradient descent on a separable set: only the margin still grows (ours).

The points z_i ∈ R^D all carry the label -1, with a bias as one of the coordinates.  θ_M is the
direction of the largest margin M, scaled so that max_i z_i·θ_M = -1.  Write θ = β θ_M + θ_⊥ with
θ_⊥ ⊥ θ_M.  The path is

    θ_⊥(β) = argmin of the loss at fixed β,    dt/dβ = 1/(η M² G(β)),

where G = -∂L/∂β is the mean of ℓ'(z_i·θ) (-z_i·θ_M).  The distance δ of the flow from the path
follows from the linearized flow, dδ/dt = -ηHδ - dθ_⊥/dt with δ = -θ_⊥(0) at the start, where H is
the Hessian in the directions orthogonal to θ_M.  If all points lie on the margin, β is minus the
bias of Paper B and θ_⊥ → S_∞ (derived in docs/theory.md).
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from linear_grokking.models.losses import CrossEntropy
from linear_grokking.shapes import Float

LARGEST_BETA = 200.0
_FIRST_STRIDE, _STRIDE_GROWTH = 0.25, 0.05
"""Largest change of an output along θ_M in the first stride; and growth of the stride with β."""
_NEWTON_STEPS = 100
_SETTLED = 1e-9
"""Largest change of an output in the last Newton step, relative to 1 + β."""
_RANK = 1e-12
"""Smallest singular value, relative to the largest, that counts in the points orthogonal to θ_M."""
_FINE = 24
"""Points per interval between two nodes at which accuracies are counted."""

_LOSS = CrossEntropy()


@dataclass(frozen=True)
class MarginPath:
    """Nodes of the path, ascending in β from 0.

    Attributes
    ----------
    direction : (D,)
        θ_M.
    beta : (K,)
        β at the nodes.
    across : (K, D)
        θ_⊥ at the nodes.
    lag : (K, D)
        δ at the nodes, to first order.
    log_time : (K,)
        ln t at the nodes, with t in steps; -inf at the first.
    settling_exponents : (K,)
        ηt times the smallest eigenvalue of H: δ falls as t to the power of minus this.
    """

    direction: Float[np.ndarray, " D"]
    beta: Float[np.ndarray, " K"]
    across: Float[np.ndarray, "K D"]
    lag: Float[np.ndarray, "K D"]
    log_time: Float[np.ndarray, " K"]
    settling_exponents: Float[np.ndarray, " K"]

    def accuracies(
        self, points: Float[np.ndarray, "n D"], *, with_lag: bool = False
    ) -> tuple[Float[np.ndarray, " F"], Float[np.ndarray, " F"]]:
        """Return ln t at and between the nodes, ascending, and the share of points with z·θ < 0."""
        across = self.across + self.lag if with_lag else self.across
        nodes = self.beta[:, np.newaxis] * (points @ self.direction) + across @ points.T
        share = np.linspace(0.0, 1.0, _FINE, endpoint=False)
        found, log_time = [np.mean(nodes[:1] < 0, axis=1)], [self.log_time[:1]]
        for k in range(len(nodes) - 1):
            between = nodes[k] + share[1:, np.newaxis] * (nodes[k + 1] - nodes[k])
            found += [np.mean(between < 0, axis=1), np.mean(nodes[k + 1 : k + 2] < 0, axis=1)]
            if k:
                step = self.log_time[k] + share[1:] * (self.log_time[k + 1] - self.log_time[k])
            else:  # t is proportional to β at first
                step = self.log_time[1] + np.log(share[1:])
            log_time += [step, self.log_time[k + 1 : k + 2]]
        return np.concatenate(log_time), np.concatenate(found)

    def log_time_of(
        self, points: Float[np.ndarray, "n D"], accuracy: float, *, with_lag: bool = False
    ) -> float:
        """Return ln t at which the accuracy on points is first reached; inf if it never is.

        The result is -inf if the accuracy is reached by the first t > 0 at which it is counted.
        """
        log_time, found = self.accuracies(points, with_lag=with_lag)
        reached = np.flatnonzero(found >= accuracy)
        if not len(reached):
            return np.inf
        return float(log_time[reached[0]]) if reached[0] > 1 else -np.inf

    def shift(self, points: Float[np.ndarray, "n D"], accuracy: float) -> float:
        """Return an estimate of how much the lag shifts ln t of an accuracy on points.

        This is the larger of two estimates: the change when δ is added to θ_⊥, and β times the
        share of δ in the outputs of θ_⊥, as if δ acted fully along them.  It is inf if the
        accuracy has no finite time.
        """
        settled = self.log_time_of(points, accuracy)
        lagging = self.log_time_of(points, accuracy, with_lag=True)
        if not np.isfinite(settled) or not np.isfinite(lagging):
            return np.inf
        sizes = [np.linalg.norm(each @ points.T, axis=1) for each in (self.lag, self.across)]
        share = self.beta * sizes[0] / np.maximum(sizes[1], np.finfo(float).tiny)
        at = np.interp(settled, self.log_time[1:], share[1:])
        return float(max(abs(lagging - settled), at))

    def settling_exponent(self, log_time: float) -> float:
        """Return the settling exponent at a time."""
        return float(np.interp(log_time, self.log_time[1:], self.settling_exponents[1:]))


def margin_path(
    points: Float[np.ndarray, "N D"],
    direction: Float[np.ndarray, " D"],
    eta: float,
    *,
    largest_beta: float = LARGEST_BETA,
) -> MarginPath | None:
    """Follow the path for the cross-entropy as far as Newton's method converges.

    Parameters
    ----------
    points
        z_i, separable.
    direction
        θ_M, as `separability.hard_margin` returns it.
    eta
        Learning rate.
    largest_beta
        Value of β at which the path ends.

    Returns
    -------
    MarginPath or None
        None if the loss has no minimum at fixed β: some direction orthogonal to θ_M lowers the
        outputs of some points and raises none.
    """
    margin = 1.0 / np.linalg.norm(direction)
    basis = np.linalg.svd(direction[np.newaxis])[2][1:]
    # Weights stay at 0 along directions orthogonal to all points, such as the difference of two
    # equal features.
    sizes, rows = np.linalg.svd(points @ basis.T, full_matrices=False)[1:]
    basis = rows[sizes > _RANK * sizes.max()] @ basis
    levels, projected = -points @ direction, points @ basis.T
    here, beta = np.zeros(len(basis)), 0.0
    betas, minima, pulls, spectra = [], [], [], []
    while beta <= largest_beta:
        with np.errstate(over="ignore"):  # e^-margin may correctly overflow to infinity
            minimum = _minimum(here, beta, levels, projected)
        if minimum is None:
            break
        here, hessian = minimum
        with np.errstate(over="ignore"):
            slopes = _LOSS.slope(np, projected @ here - beta * levels)
        betas.append(beta)
        minima.append(here)
        pulls.append(float(np.mean(slopes * levels)))
        spectra.append(np.linalg.eigh(hessian))
        beta += _FIRST_STRIDE / max(1.0, levels.max()) + _STRIDE_GROWTH * beta
    if len(betas) < 4:
        return None
    beta, minima = np.array(betas), np.array(minima)
    log_time = _log_times(beta, -np.log(eta * margin**2 * np.array(pulls)))
    time = np.exp(log_time)
    least = np.array([values[0] if len(values) else np.inf for values, _ in spectra])
    lag = _lag(minima, spectra, eta * np.diff(time))
    exponents = eta * np.maximum(least, 0.0) * time
    return MarginPath(direction, beta, minima @ basis, lag @ basis, log_time, exponents)


def _minimum(
    start: np.ndarray, beta: float, levels: np.ndarray, projected: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Find the minimum of the loss at fixed β by damped Newton steps; return it and its Hessian."""
    here, n_points = start, len(levels)
    for _ in range(_NEWTON_STEPS):
        margins = projected @ here - beta * levels
        curvature = _LOSS.curvature(np, margins)
        hessian = (projected.T * (curvature / n_points)) @ projected
        gradient = projected.T @ _LOSS.slope(np, margins) / n_points
        try:
            step = np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            return None
        change = projected @ step
        largest = np.abs(change).max(initial=0.0)
        if not np.isfinite(largest):
            return None
        if largest < _SETTLED * (1.0 + beta):
            return here, hessian
        scale, before, slope = 1.0, _log_loss(margins), float(gradient @ step)
        # Require a fraction of the decrease that the slope predicts (Armijo), in terms of the
        # logarithm of the loss, which is tiny for large β.
        slope *= np.exp(-before)
        while _log_loss(margins - scale * change) > before - 1e-3 * scale * slope + 1e-13:
            scale *= 0.5
            if scale < 1e-6:
                return (here, hessian) if largest < 1e-5 * (1.0 + beta) else None
        here = here - scale * step
    return None


def _log_loss(margins: np.ndarray) -> float:
    """Return the logarithm of the mean loss."""
    return float(np.log(np.mean(_LOSS.value(np, margins))))


def _log_times(beta: np.ndarray, log_density: np.ndarray) -> np.ndarray:
    """Return ln t at the nodes from ln dt/dβ, which is linear in β at late times."""
    density = CubicSpline(beta, log_density)
    node, weight = np.polynomial.legendre.leggauss(8)
    width = np.diff(beta)
    inside = beta[:-1, np.newaxis] + 0.5 * width[:, np.newaxis] * (1.0 + node)
    pieces = 0.5 * width * np.sum(weight * np.exp(density(inside)), axis=1)
    with np.errstate(divide="ignore"):
        return np.log(np.concatenate([[0.0], np.cumsum(pieces)]))


def _lag(
    minima: np.ndarray, spectra: list[tuple[np.ndarray, np.ndarray]], eta_steps: np.ndarray
) -> np.ndarray:
    """Return δ at the nodes, taking H and the minimum's speed as constant between two nodes."""
    lags = [-minima[0]]
    for k, eta_step in enumerate(eta_steps):
        values, vectors = spectra[k]
        rate = 0.5 * (values + spectra[k + 1][0])
        decay = np.clip(rate * eta_step, 1e-12, None)
        kept = np.exp(-decay) * (vectors.T @ lags[-1])
        left_behind = -np.expm1(-decay) / decay * (vectors.T @ (minima[k + 1] - minima[k]))
        lags.append(vectors @ (kept - left_behind))
    return np.array(lags)
