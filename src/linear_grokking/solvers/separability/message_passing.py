"""Approximate message passing: directions whose span nearly contains S_∞.

Let the N points have independent entries of variance σ² in d dimensions, λ = d/N.  A constant
factor e^c of the loss does not move its minimum: S_∞ minimizes Σ e^{c + S·x_i}.  Let z_i be the
output at x_i of the S that is found without point i, and hence independent of it.  With point i,
the loss moves the output to the f_i that minimizes (f - z_i)²/2V + e^{c+f}, where V is the
response of an output to a force on it.  c is free and can be chosen such that V = 1; then
f_i = z_i - w_i, with

    w_i = e^{c + f_i} = ω(c + z_i),     ω + ln ω = y,

Wright's ω, that is, Lambert's W at e^y.  Thus z = XS + w: the outputs plus Onsager's reaction
of each on itself.  V = 1 is self-consistent if the N curvatures w/(1 + w), which are the
derivatives ω', add up to d, the number of directions that the points determine: the mean of
w/(1 + w) is λ, which gives c.  With S ← S - Xᵀw/(σ²d), a fixed point has Xᵀw = 0 and
w_i ∝ e^{S·x_i}: it is S_∞ itself, for any points.  The laws of large numbers are needed only for
the iteration to converge (Rangan, *Generalized approximate message passing*, ISIT 2011; Donoho
and Montanari, *High dimensional robust M-estimation*, PTRF 166, 935, 2016).

An iteration takes two products with X.  Near λ = ½ many are needed, and for other laws of the
points they may diverge; but the span of the directions passed through contains a far better one,
as with a Krylov method.  Where the points are separable, a direction in the span often separates
them.
"""

import math

import numpy as np

from linear_grokking.solvers.separability.softmax import log_sum_exp

MOST = 200  # iterations
DIMENSIONS_EACH = 8  # per iteration allowed: in few dimensions a Newton step costs few iterations
LEAST = 5  # iterations
SETTLED = 5e-5  # change of ln Σ e^{S·x_i} per iteration below which the span is close to S_∞
LEAST_EXPONENT = -60.0  # least y of an e^y in float32
NEWTON_STEPS = 2  # for ω, to 1e-3


def message_passing(points: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the directions that message passing goes through, and whether it settled.

    Parameters
    ----------
    points : (N, d), float32
        Points x_i, all labelled -1, N > d, not all of them zero.

    Returns
    -------
    directions : (iterations, d), float32
        All finite.
    settled
        Whether the last one changed ln Σ e^{S·x_i} little, and left it below that of S = 0.
    """
    n_points, d = points.shape
    lambda_ = d / n_points
    most = min(MOST, d // DIMENSIONS_EACH)
    # 1/(σ²d).  A sum of all squares in float32 would lose 2 % at N = 40,000, and diverge with it.
    step = n_points / float(np.einsum("ij,ij->i", points, points).sum(dtype=float))
    directions = np.zeros((most + 1, d), np.float32)
    # At S = 0, where all w are equal.
    w = np.full(n_points, lambda_ / (1.0 - lambda_), np.float32)
    c = math.log(lambda_ / (1.0 - lambda_))
    value = at_zero = math.log(n_points)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # where it diverges
        for k in range(1, most + 1):
            directions[k] = directions[k - 1] - step * (w @ points)
            outputs = points @ directions[k]
            last, value = value, log_sum_exp(outputs)
            if not math.isfinite(value):
                return directions[1:k], False
            if k >= LEAST and not value < at_zero:
                return directions[1 : k + 1], False
            if k >= LEAST and abs(value - last) < SETTLED:
                return directions[1 : k + 1], True
            w = wright_omega(outputs + w + c)
            slope = w / (1.0 + w)
            c -= float((slope.mean() - lambda_) / np.mean(slope * (1.0 - slope) ** 2))
    return directions[1:], False


def wright_omega(y: np.ndarray) -> np.ndarray:
    """Return ω > 0 with ω + ln ω = y to a relative 1e-3, for y of -60 or more.

    SciPy's wrightomega is exact to rounding, but costs a third as much as all else in an iteration.
    """
    y = np.maximum(y, LEAST_EXPONENT)
    omega = np.maximum(y, 0.0) + np.log1p(np.exp(-np.abs(y)))  # ln(1 + e^y): too large by 1/3
    for _ in range(NEWTON_STEPS):
        omega *= (1.0 + y - np.log(omega)) / (1.0 + omega)
    return omega
