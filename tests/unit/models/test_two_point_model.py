import numpy as np
import pytest
from scipy.stats import norm

from linear_grokking.models import two_point as model
from linear_grokking.theory.two_point import TwoPoint


def at(lambda_, sigma):
    return TwoPoint.at_lambda(lambda_, sigma, 0.01, 0.1, 0.0)


STATES = [(0.0, 0.0), (0.7, -0.4), (-1.2, 0.3), (0.4, 0.1), (2.0, -8.0)]


@pytest.mark.parametrize(("weight", "bias"), STATES)
@pytest.mark.parametrize(("lambda_", "sigma"), [(0.2, 1.0), (0.5, 2.0), (0.9, 0.5)])
def test_training_quantities_by_their_definition(weight, bias, lambda_, sigma):
    outputs = weight * sigma * np.array([-1.0, 1.0 - 2.0 * lambda_]) + bias
    problem = at(lambda_, sigma)
    assert model.log_train_loss(weight, bias, problem) == pytest.approx(
        np.log(np.mean(np.exp(outputs)))
    )
    assert model.train_accuracy(weight, bias, problem) == np.mean(outputs < 0.0)


@pytest.mark.parametrize(("weight", "bias"), STATES[1:])
def test_generalization_by_averages_over_fresh_data(weight, bias):
    sigma = 0.8
    x = np.linspace(-10.0, 10.0, 200_001) * sigma
    density = norm.pdf(x, scale=sigma) * (x[1] - x[0])
    output = weight * x + bias
    assert np.exp(model.log_gen_loss(weight, bias, at(0.4, sigma))) == pytest.approx(
        np.sum(density * np.exp(output)), rel=1e-6
    )
    assert model.gen_accuracy(weight, bias, at(0.4, sigma)) == pytest.approx(
        np.sum(density * (output < 0.0)), abs=1e-4
    )


def test_accuracy_without_weight_is_that_of_the_bias():
    assert model.gen_accuracy(0.0, [-1.0, 0.0, 1.0], at(0.4, 2.0)) == pytest.approx([1.0, 0.5, 0.0])


def test_observables_have_the_names_of_a_history_and_no_nan():
    found = model.observables([0.3, 1e4], [-0.2, -1e6], at(0.6, 2.0))
    assert list(found) == ["train_loss", "gen_loss", "train_accuracy", "gen_accuracy"]
    assert not any(np.any(np.isnan(values)) for values in found.values())
    assert found["train_loss"][0] == pytest.approx(
        np.exp(model.log_train_loss(0.3, -0.2, at(0.6, 2.0)))
    )
    assert found["gen_loss"][0] == pytest.approx(np.exp(-0.2 + 0.5 * 0.36))
    assert (found["train_loss"][1], found["gen_loss"][1]) == (0.0, np.inf)
    assert found["train_accuracy"][0] == 1.0
    assert found["gen_accuracy"][0] == pytest.approx(norm.cdf(0.2 / 0.6))
