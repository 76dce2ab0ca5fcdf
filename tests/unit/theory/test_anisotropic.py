"""The limit of A_gen of anisotropic inputs: by maximum margins, and without anisotropy."""

import numpy as np
import pytest
from scipy.special import ndtr

from linear_grokking.data.draws import classification
from linear_grokking.data.laws import Anisotropic
from linear_grokking.solvers.separability import assess
from linear_grokking.theory import anisotropic, margin


@pytest.mark.parametrize("lambda_", [0.45, 0.52, 0.6, 0.9])
def test_without_anisotropy_it_is_the_limit_of_one_gaussian(lambda_):
    found = anisotropic.limit_gen_accuracy(lambda_=lambda_, sigma=5.0, condition=1.0)
    assert found == pytest.approx(float(margin.limit_gen_accuracy(lambda_, 5.0)), rel=1e-9)


@pytest.mark.parametrize("lambda_", [0.7, 0.9])
def test_against_hard_margins(lambda_):
    law, n_train = Anisotropic(5.0, 10.0), 100
    d = int(lambda_ * n_train)
    found = []
    for k in range(40):
        drawn = classification(law, seed=11, realization=k, n_train=n_train, d=d)
        one = assess(drawn.inputs, margin=True)
        if one.separable:
            spread = np.linalg.norm(law.deviations(d) * one.direction)
            found.append(ndtr(1.0 / (one.margin**2 * spread)))
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    limit = anisotropic.limit_gen_accuracy(lambda_=lambda_, sigma=5.0, condition=10.0)
    # Four standard errors (false alarms: 6e-5) and a finite-size shift of 1/N.
    assert np.mean(found) == pytest.approx(limit, abs=4.0 * error + 1.0 / n_train)


def test_refuses_what_is_no_law():
    with pytest.raises(ValueError, match="condition"):
        anisotropic.limit_gen_accuracy(lambda_=0.6, sigma=1.0, condition=0.5)
