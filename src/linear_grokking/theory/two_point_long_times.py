"""Long-time laws of the two-point model, and a direct integration to compare them with.

The integration uses no orbits or closed forms: it is an implicit Runge-Kutta method on
the flow's equations in s = ln(1+t), with B = b + s in place of b so that e^b t stays in
range at any t.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.special import wrightomega

from linear_grokking.theory._domain import Broadcast, ConvergenceError, within
from linear_grokking.theory.margin import log_law_slopes
from linear_grokking.theory.two_point import TwoPoint, s_infinity


class LongTimeLaw(NamedTuple):
    """How b and S grow at long times.

    Attributes
    ----------
    bias
        Coefficient of ln t in b.
    weight
        Coefficient of the clock in S: S_∞ itself where the clock stands still.
    clock
        ``"constant"`` (λ < ½), ``"log log t"`` (λ = ½) or ``"log t"`` (λ > ½).
    """

    bias: float
    weight: float
    clock: str


def predicted_law(lambda_: float, sigma: float) -> LongTimeLaw:
    """Return the law of Paper B's Table 1, with M = σ(2λ-1) above ½.  λ in [0, 1], σ > 0."""
    settled = float(s_infinity(lambda_, sigma))
    if lambda_ < 0.5:
        return LongTimeLaw(-1.0, settled, "constant")
    if lambda_ == 0.5:
        return LongTimeLaw(-1.0, 1.0 / sigma, "log log t")
    weight, bias = log_law_slopes(sigma * (2.0 * lambda_ - 1.0))
    return LongTimeLaw(float(bias), float(weight), "log t")


def critical_state(log_t: ArrayLike, eta: ArrayLike) -> tuple[Broadcast, Broadcast]:
    """Return S and b at λ = ½, σ = 1 and times e^{log_t}, from S₀ = b₀ = 0 (Paper B, Eq. 36).

    S = log(1+W) and b = -W - log(1+W), W = W(ηt/2) Lambert's function: in conformal time
    S = log(1 + ητ/2), so that ηt/2 = ∫e^{-b} ηdτ/2 = W e^W with W = ητ/2.

    Parameters
    ----------
    log_t
        ln of the time in steps, of any size.
    eta
        Learning rate.
    """
    # W(e^x) is Wright's function, which needs no e^x.
    w = wrightomega(np.asarray(log_t, float) + np.log(within("eta", eta) / 2.0))
    return np.log1p(w), -w - np.log1p(w)


def integrated_law(problem: TwoPoint, *, log_t: float) -> LongTimeLaw:
    """Return the local law at time e^{log_t} found by integrating the flow from t = 0.

    The coefficients are derivatives by ln t, and by ln ln t, at that time; they approach
    `predicted_law` as ln t grows, at λ = ½ with corrections of order (ln ln t)/ln t.

    Parameters
    ----------
    problem
        One problem, its fields numbers.
    log_t
        ln t > 1 of the end; 92.1 for t = 1e40.

    Raises
    ------
    ValueError
        Where a field or another argument is out of range.
    ConvergenceError
        If the integrator fails.
    """
    end = float(within("log_t", log_t, "(1, inf)"))
    (problem,) = problem.checked()
    # The first loss is then e^300 at most, of which the integrator takes squares.
    within("|sigma * s0| + b0", np.abs(problem.u0) + problem.b0, "(-inf, 300]")
    distance, sigma, eta, s0, b0 = map(float, problem)
    lambda_ = float(problem.lambda_)
    points = sigma * np.array([-1.0, distance])

    def pull(state: np.ndarray) -> np.ndarray:
        return 0.5 * eta * np.exp(points * state[0] + state[1])

    def velocity(s: float, state: np.ndarray) -> np.ndarray:
        force = pull(state)
        return np.array([-np.dot(points, force), 1.0 - np.sum(force)])

    def jacobian(s: float, state: np.ndarray) -> np.ndarray:
        return -np.array([points**2, points, points, np.ones(2)]).dot(pull(state)).reshape(2, 2)

    found = solve_ivp(
        velocity, (0.0, end), [s0, b0], method="Radau", jac=jacobian, rtol=1e-10, atol=1e-10
    )
    if not found.success:
        raise ConvergenceError(f"integration at lambda_ = {lambda_:g} stopped: {found.message}")
    weight, _ = found.y[:, -1]
    weight_slope, growth = velocity(end, found.y[:, -1])
    coefficient = {"constant": weight, "log log t": end * weight_slope, "log t": weight_slope}
    clock = predicted_law(lambda_, sigma).clock
    return LongTimeLaw(float(growth - 1.0), float(coefficient[clock]), clock)
