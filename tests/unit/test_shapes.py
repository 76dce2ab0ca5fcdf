"""Shapes in annotations are enforced while tests run, and cost a job nothing."""

import jaxtyping
import numpy as np
import pytest

from linear_grokking.models.teacher_student import population_loss
from linear_grokking.results.crossings import grokking_delay
from linear_grokking.theory import marchenko_pastur
from linear_grokking.theory.linear import Problem, train_loss


def test_a_wrong_shape_is_refused():
    assert population_loss(np.ones((2, 3, 4))).shape == (2,)
    with pytest.raises(jaxtyping.TypeCheckError, match="deviation"):
        population_loss(np.ones(3))


def test_a_wrong_kind_of_number_is_refused():
    with pytest.raises(jaxtyping.TypeCheckError, match="deviation"):
        population_loss(np.ones((2, 3, 4), int))


@pytest.mark.parametrize(
    "function", [grokking_delay, marchenko_pastur.quadrature, population_loss, train_loss]
)
def test_public_functions_say_their_shapes(function):
    assert "jaxtyping" in repr(function.__wrapped__.__annotations__["return"])


def test_numbers_of_any_shape_are_of_shape_of_the_arguments():
    assert train_loss(1.0, Problem(0.5, 0.01)).shape == ()
    assert train_loss([1.0, 2.0], Problem(0.5, [[0.01], [0.02]])).shape == (2, 2)
