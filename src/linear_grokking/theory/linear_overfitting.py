"""The minimum of Paper A's generalization loss over time when training labels are noisy."""

import numpy as np

from linear_grokking.theory import marchenko_pastur
from linear_grokking.theory._domain import Broadcast
from linear_grokking.theory._search import first_time
from linear_grokking.theory.linear import Problem, gen_loss, gen_loss_floor


def gen_loss_minimum(problem: Problem) -> tuple[Broadcast, Broadcast]:
    """Return when and how low the generalization loss is before the student overfits.

    With label noise of variance s² the loss passes through a minimum if γ < 4 λ d_out s².  With
    as much weight decay or more it decreases forever; the time returned is then ``inf``, and the
    loss its floor.  (At γ = 4 λ d_out s² the floor is the ridge estimator's optimum.)  For
    λ > 1 with γ > 0 the loss may fall again later, or never rise, as weight decay forgets the
    initial student; a rise is found if it lasts for a factor of 4 in time.  Gradient flow;
    derived in docs/theory.md.

    Returns
    -------
    time, loss
        Each of the shape that the problem's fields broadcast to; time in steps.
    """
    (problem,) = problem.checked()
    time = np.full(problem.lambda_.shape, np.inf)
    loss = np.array(gen_loss_floor(problem))
    some = np.asarray(problem.gamma < 4.0 * problem.lambda_ * problem.d_out * problem.noise)
    noisy = problem[some]
    # Before this time the loss falls in every eigendirection.
    fastest = 2.0 * (marchenko_pastur.support(noisy.lambda_)[1] + noisy.gamma / 2.0)
    fastest = np.maximum(fastest, 7.0 * noisy.lambda_ * noisy.noise * noisy.d_out)
    start = noisy.d_out / noisy.eta / fastest
    time[some] = first_time(_ascent, np.log(start), tuple(noisy))
    turns = np.isfinite(time)
    loss[turns] = gen_loss(time[turns], problem[turns])
    return time[()], loss[()]


def _ascent(log_t: np.ndarray, *fields: np.ndarray) -> np.ndarray:
    """Return dL_gen/dt up to a positive factor; log t and the problem's fields have shape (n,)."""
    # Columns, against the nodes along the rows.
    problem = Problem(*fields)[:, None]
    lambda_, d_out, half = problem.lambda_, problem.d_out, problem.gamma / 2.0
    nodes, weights = marchenko_pastur.quadrature(lambda_[:, 0])
    shifted = nodes + half
    twice_x = 2.0 * (np.exp(log_t)[:, None] * problem.eta / d_out)
    lost = -np.expm1(-twice_x * shifted)
    decay = 1.0 - lost
    wiggle = problem.alpha**2 * decay / nodes + (decay + half * lost / shifted) / shifted
    fit = 2.0 * (lambda_ * problem.noise * d_out) * lost / shifted**2
    # The slowest decay is taken out as a factor, or all terms would underflow at late times.
    atom = marchenko_pastur.atom(lambda_) * half
    edge = marchenko_pastur.support(lambda_)[0] + half
    slowest = np.where(atom > 0, np.minimum(edge, 2.0 * half), edge)
    slope = (shifted * np.exp(-twice_x * (shifted - slowest)) * (fit - wiggle)) @ weights
    # Where there is no atom the exponent below may be positive.
    forgetting = np.where(atom > 0, 2.0 * half - slowest, 0.0)
    return slope - (atom * problem.alpha**2 * np.exp(-twice_x * forgetting))[:, 0]
