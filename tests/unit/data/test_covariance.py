"""Power-law covariances: variances, pairing of sets, and the isotropic case to the bit."""

import numpy as np
import pytest
from scipy import stats

from linear_grokking.data.covariance import power_law_variances
from linear_grokking.data.draws import teacher_student


def drawn(exponent, **changes):
    options = {"seed": 1, "realization": 0, "n_train": 4000, "n_gen": 3000, "widths": (8, 2)}
    return teacher_student(**options | changes, spectral_exponent=exponent)


def test_variances_follow_the_law_and_have_mean_one():
    # Quantiles of (p+1)u^p: its median is (p+1)/2^p.
    for p in (0.5, 1.5, 3.0):
        variances = power_law_variances(1001, p)
        assert variances[500] == pytest.approx((p + 1) / 2**p, rel=1e-12)
        assert variances.mean() == pytest.approx(1.0, abs=1e-4)
    np.testing.assert_array_equal(power_law_variances(7, 0.0), 1.0)


def test_training_and_fresh_inputs_have_the_variances():
    data = drawn(2.0)
    for inputs in (data.inputs, data.fresh):
        statistic = np.sum(inputs**2 / power_law_variances(8, 2.0), axis=0)
        low, high = stats.chi2.ppf([1e-5, 1 - 1e-5], len(inputs))
        assert ((low < statistic) & (statistic < high)).all()
    np.testing.assert_array_equal(data.variances, power_law_variances(8, 2.0))


def test_sets_of_other_exponents_are_the_same_in_units_of_the_deviations():
    one, isotropic = drawn(2.0), drawn(None)
    np.testing.assert_allclose(
        one.inputs, isotropic.inputs * np.sqrt(power_law_variances(8, 2.0)), rtol=1e-14
    )
    np.testing.assert_array_equal(one.teacher[0], isotropic.teacher[0])
    assert isotropic.variances is None


def test_exponent_0_is_isotropic_to_the_bit():
    for name in ("inputs", "fresh"):
        np.testing.assert_array_equal(getattr(drawn(0.0), name), getattr(drawn(None), name))
