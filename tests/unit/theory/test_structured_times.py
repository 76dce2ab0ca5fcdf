"""Times on power-law inputs: the losses there, and the isotropic ones."""

import numpy as np
import pytest

from linear_grokking.theory import linear_grokking_time
from linear_grokking.theory.linear import Problem, loss_threshold
from linear_grokking.theory.structured_inputs import StructuredProblem, gen_loss, train_loss
from linear_grokking.theory.structured_times import (
    gen_time,
    gen_time_to_loss,
    train_time,
    train_time_to_loss,
)

CASES = StructuredProblem(
    np.array([0.5, 0.9, 1.0]), 0.01, d_out=2, exponent=np.array([0.4, 1.5, 4.0])[:, None]
)


def test_losses_have_the_value_at_the_time():
    for value in (0.2, 1e-3, 1e-5):
        np.testing.assert_allclose(train_loss(train_time_to_loss(value, CASES), CASES), value, 1e-7)
        np.testing.assert_allclose(gen_loss(gen_time_to_loss(value, CASES), CASES), value, 1e-7)


def test_accuracies_are_reached_at_their_losses():
    level = loss_threshold(1e-3, d_out=2, accuracy=0.9)
    assert (train_time(CASES, 1e-3, accuracy=0.9) == train_time_to_loss(level, CASES)).all()
    assert (gen_time(CASES, 1e-3, accuracy=0.9) == gen_time_to_loss(level, CASES)).all()


def test_exponent_0_has_the_isotropic_times():
    lambda_ = np.array([0.3, 0.9, 1.0, 1.5])
    isotropic, ours = Problem(lambda_, 0.01), StructuredProblem(lambda_, 0.01, exponent=0.0)
    for mine, theirs in (
        (train_time, linear_grokking_time.train_time),
        (gen_time, linear_grokking_time.gen_time),
    ):
        np.testing.assert_allclose(mine(ours, 1e-3), theirs(isotropic, 1e-3), rtol=1e-8)


def test_never_and_from_the_start():
    assert gen_time_to_loss(1e-3, StructuredProblem(2.0, 0.01, exponent=1.0)) == np.inf
    assert gen_time_to_loss(2.0, StructuredProblem(0.5, 0.01, exponent=1.0)) == 0.0
    assert gen_time(StructuredProblem(0.9, 0.01, gamma=0.1, exponent=3.0), 1e-5) == np.inf
    with pytest.raises(ValueError, match="loss"):
        train_time_to_loss(-1.0, StructuredProblem(0.5, 0.01))
