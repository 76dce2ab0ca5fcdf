"""Formulas warn of nothing, also where a number on the way is beyond the range of floats."""

import numpy as np
import pytest

from linear_grokking.theory import linear, linear_late_time
from linear_grokking.theory.two_point import TwoPoint
from linear_grokking.theory.two_point_long_times import integrated_law
from linear_grokking.theory.two_point_solution import solution

pytestmark = pytest.mark.filterwarnings("error")

LOSSES = np.array([0.0, 5e-324, 1e-310, 1e-300, 1e-3, 1e300])


@pytest.mark.parametrize("d_out", [1, 2, 50, 10_000])
@pytest.mark.parametrize("epsilon", [1e-12, 1e-3, 1e3])
def test_the_accuracy_of_any_loss(epsilon, d_out):
    found = linear.accuracy(LOSSES, epsilon, d_out)
    assert (found[:3] == 1.0).all() and found[-1] < 1e-100


def test_losses_at_any_time():
    times = np.array([0.0, 1.0, 1e9, 1e100, 1e210, 1e300])
    for discrete in (False, True):
        for loss in (linear.train_loss, linear.gen_loss):
            assert loss(times, linear.Problem(0.9, 0.01), discrete=discrete)[-1] == 0.0
    late = linear_late_time.late_time_train_loss(times, linear.Problem(0.9, 0.01))
    assert late[0] == np.inf and late[-1] == 0.0


def test_the_long_time_law_begins_where_floats_suffice():
    for far in (TwoPoint(-0.2, 212.0, 0.5, -3.5, 0.0), TwoPoint(0.4, 10.0, 0.1, -28.0, 81.0)):
        with pytest.raises(ValueError, match=r"\|sigma \* s0\| \+ b0 = \d+: must lie in"):
            integrated_law(far, log_t=20.0)


def test_the_orbit_of_wide_sets():
    found = solution(1000.0, TwoPoint(0.5, 1e12, 0.1, 0.0, 0.0))
    assert np.isfinite([*found]).all()
