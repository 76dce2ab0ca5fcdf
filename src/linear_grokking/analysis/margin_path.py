"""The late stage of gradient descent on a separable set: all but the margin has settled (ours).

Points z_i ∈ R^D all carry the label -1, a bias being one of the coordinates; θ_M is the direction
of the largest margin M, scaled to max_i z_i·θ_M = -1.  With θ = β θ_M + θ_⊥, θ_⊥ ⊥ θ_M, the path is

    θ_⊥(β) = argmin of the loss at fixed β,    dt/dβ = 1/(η M² G(β)),

G = -∂L/∂β, the mean of ℓ'(z_i·θ) (-z_i·θ_M).  How far the flow is from it follows from its
linearization, dδ/dt = -ηHδ - dθ_⊥/dt from δ = -θ_⊥(0) on, H the Hessian across θ_M.  Where all
points lie on the margin, β is minus the bias of Paper B and θ_⊥ → S_∞ (derived in docs/theory.md).
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from linear_grokking.models.losses import CrossEntropy
from linear_grokking.shapes import Float

LARGEST_BETA = 200.0
_FIRST_STRIDE, _STRIDE_GROWTH = 0.25, 0.05
"""The first is the largest change of an output along θ_M, or of β where no output changes more."""
_NEWTON_STEPS = 100
_SETTLED = 1e-9
"""Largest change of an output in the last Newton step, relative to 1 + β."""
_RANK = 1e-12
"""Least singular value of the points across θ_M, relative to the largest, that counts."""
_FINE = 24
"""Points between two nodes at which accuracies are counted."""

_LOSS = CrossEntropy()


@dataclass(frozen=True)
class MarginPath:
    """Nodes of the path, ascending in β from 0.

    Attributes
    ----------
    direction : (D,)
        θ_M.
    beta : (K,)
        β of the nodes.
    across : (K, D)
        θ_⊥ there.
    lag : (K, D)
        δ, to first order.
    log_time : (K,)
        ln t, in steps; -inf at first.
    settling_exponents : (K,)
        ηt times the least eigenvalue of H: what is left of δ falls as t to minus this.
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
        """Return ln t between the nodes and the fraction of points with z·θ < 0, ascending in t."""
        across = self.across + self.lag if with_lag else self.across
        nodes = self.beta[:, np.newaxis] * (points @ self.direction) + across @ points.T
        share = np.linspace(0.0, 1.0, _FINE, endpoint=False)
        found, log_time = [np.mean(nodes[:1] < 0, axis=1)], [self.log_time[:1]]
        for k in range(len(nodes) - 1):
            between = nodes[k] + share[1:, np.newaxis] * (nodes[k + 1] - nodes[k])
            found += [np.mean(between < 0, axis=1), np.mean(nodes[k + 1 : k + 2] < 0, axis=1)]
            if k:
                step = self.log_time[k] + share[1:] * (self.log_time[k + 1] - self.log_time[k])
            else:  # t starts as β
                step = self.log_time[1] + np.log(share[1:])
            log_time += [step, self.log_time[k + 1 : k + 2]]
        return np.concatenate(log_time), np.concatenate(found)

    def log_time_of(
        self, points: Float[np.ndarray, "n D"], accuracy: float, *, with_lag: bool = False
    ) -> float:
        """Return ln t at which the accuracy on points is reached first; inf where it is not.

        -inf where it is by the first t that is told from 0.
        """
        log_time, found = self.accuracies(points, with_lag=with_lag)
        reached = np.flatnonzero(found >= accuracy)
        if not len(reached):
            return np.inf
        return float(log_time[reached[0]]) if reached[0] > 1 else -np.inf

    def shift(self, points: Float[np.ndarray, "n D"], accuracy: float) -> float:
        """Return about how much the lag shifts ln t of an accuracy on points.

        The larger of two estimates: the change when δ is added, and δ's share of the outputs
        across θ_M times β, as though it were all along them.  inf where there is no such time.
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
    """Follow the path with the cross-entropy, as far as Newton's method converges.

    Parameters
    ----------
    points
        z_i, separable.
    direction
        θ_M, as `separability.hard_margin` returns it.
    eta
        Learning rate.
    largest_beta
        Where the path ends.

    Returns
    -------
    path, or None where the loss has no minimum across θ_M: some direction there lowers the outputs
    of some points and raises none.
    """
    margin = 1.0 / np.linalg.norm(direction)
    basis = np.linalg.svd(direction[np.newaxis])[2][1:]
    # A direction that no point has, as of the difference of two equal features, stays at 0.
    sizes, rows = np.linalg.svd(points @ basis.T, full_matrices=False)[1:]
    basis = rows[sizes > _RANK * sizes.max()] @ basis
    levels, projected = -points @ direction, points @ basis.T
    here, beta = np.zeros(len(basis)), 0.0
    betas, minima, pulls, spectra = [], [], [], []
    while beta <= largest_beta:
        with np.errstate(over="ignore"):  # of e^-margin, which is then infinite, as it should be
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
    """Return the minimum of the loss at fixed β by damped Newton steps, and the Hessian there."""
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
        # Down by a part of what the slope says, in logarithms as the loss is tiny for large β.
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
    """Return ln t at the nodes, from ln dt/dβ, which is linear in β at late times."""
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
    """Return δ at the nodes, H and the minimum's speed being constant from one to the next."""
    lags = [-minima[0]]
    for k, eta_step in enumerate(eta_steps):
        values, vectors = spectra[k]
        rate = 0.5 * (values + spectra[k + 1][0])
        decay = np.clip(rate * eta_step, 1e-12, None)
        kept = np.exp(-decay) * (vectors.T @ lags[-1])
        left_behind = -np.expm1(-decay) / decay * (vectors.T @ (minima[k + 1] - minima[k]))
        lags.append(vectors @ (kept - left_behind))
    return np.array(lags)
