"""RKC2 on equations with known solutions."""

import numpy as np
import pytest

from linear_grokking.solvers.log_flow.rkc import RKC2, StepSizeError, System


class Relaxation(System):
    """y' = -k (y - cos s) - sin s: y relaxes onto cos s, at rates k from 1 to ``stiffest``."""

    def __init__(self, stiffest, tolerance):
        self.rates = np.geomspace(1.0, stiffest, 5)
        self.tolerance = tolerance

    def rate(self, s, y):
        return -self.rates * (y - np.cos(s)) - np.sin(s), None

    def spectral_radius(self, s, y, known, *, anew):
        return self.rates[-1]

    def error_norm(self, error, y, y_new):
        return np.abs(error).max() / self.tolerance

    def exact(self, s, excess):
        return np.cos(s) + excess * np.exp(-self.rates * s)


def integrate(system, y, s_end):
    stepper = RKC2(system, system.at(0.0, y))
    count = 0
    while stepper.end.s < s_end:
        stepper.advance(s_end)
        count += 1
    return stepper, count


def test_order_of_convergence_is_two():
    excess = np.full(5, 0.5)
    counts, errors = [], []
    for tolerance in np.geomspace(1e-4, 1e-8, 9):
        system = Relaxation(3.0, tolerance)
        stepper, count = integrate(system, 1.0 + excess, 2.0)
        counts.append(count)
        errors.append(np.abs(stepper.end.y - system.exact(2.0, excess)).max())
    slope = np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert slope == pytest.approx(-2.0, abs=0.15)


def test_stiffness_costs_its_square_root():
    costs = []
    for stiffest in (1e3, 1e5):
        system = Relaxation(stiffest, 1e-4)
        stepper, _ = integrate(system, np.ones(5), 3.0)
        costs.append(stepper.rates)
        np.testing.assert_allclose(stepper.end.y, np.cos(3.0), atol=3e-3)
    # Ten for a stiffness of a hundred, and some for the first, short steps.
    assert costs[1] < 20 * costs[0]
    assert costs[1] < 0.1 * (3.0 * 1e5 / 2.0)  # Euler's least number of stable steps


def test_the_step_control_can_be_taken_up_again():
    system = Relaxation(50.0, 1e-5)
    stepper, _ = integrate(system, np.full(5, 2.0), 1.0)
    control = stepper.control()
    resumed = RKC2(system, stepper.end)
    resumed.restore_control(control)
    for stretch in (stepper, resumed):
        while stretch.end.s < 2.0:
            stretch.advance(2.0)
    np.testing.assert_array_equal(stepper.end.y, resumed.end.y)
    assert stepper.rates == resumed.rates


def test_a_rate_that_is_never_finite_is_reported():
    class Broken(Relaxation):
        def rate(self, s, y):
            return np.full(5, np.nan if s > 0 else 1.0), None

    system = Broken(3.0, 1e-4)
    stepper = RKC2(system, system.at(0.0, np.ones(5)))
    with pytest.raises(StepSizeError, match="no step from s=0 meets the tolerance"):
        stepper.advance(1.0)


class Steepening(System):
    """y' = -sinh y, whose rate overflows for steps far too long; tanh(y/2) decays as e^-s."""

    def rate(self, s, y):
        with np.errstate(over="ignore", invalid="ignore"):
            return -np.sinh(y), None

    def spectral_radius(self, s, y, known, *, anew):
        return 20.0  # far too small where y is large

    def error_norm(self, error, y, y_new):
        return np.abs(error).max() / 1e-6


def test_a_step_that_overflows_leaves_nothing_behind():
    system = Steepening()
    stepper = RKC2(system, system.at(0.0, np.array([10.0])))
    stepper._step = 2.0
    with np.errstate(invalid="ignore", over="ignore"):
        while stepper.end.s < 2.0:
            stepper.advance(2.0)
    expected = 2.0 * np.arctanh(np.tanh(5.0) * np.exp(-2.0))
    assert stepper.end.y[0] == pytest.approx(expected, rel=1e-3)
