import mpmath
import numpy as np
import pytest

from linear_grokking.theory import linear
from linear_grokking.theory.linear import Problem
from linear_grokking.theory.linear_grokking_time import grokking_time, train_time
from linear_grokking.theory.linear_late_time import (
    edge_gen_loss,
    expanded_delay,
    lambert_times,
    late_time_delay,
    late_time_gen_loss,
    late_time_train_loss,
    small_epsilon_delay,
)

pytestmark = pytest.mark.filterwarnings("error")

ETA = 0.01


@pytest.mark.parametrize("lambda_", [0.5, 0.9, 0.99, 1.0, 1.5])
def test_training_loss_approaches_the_exact_one(lambda_):
    """Relative error 3/(64√λ x), from the next term of the Bessel function."""
    t = np.array([1e3, 1e4]) if lambda_ == 1.5 else np.array([1e3, 1e4, 3e4])
    problem = Problem(lambda_, ETA)
    ratio = late_time_train_loss(t, problem) / linear.train_loss(t, problem)
    np.testing.assert_allclose(ratio - 1, 3 / (64 * np.sqrt(lambda_) * ETA * t), rtol=0.03)


@pytest.mark.parametrize("lambda_", [0.5, 0.9, 0.99, 1.0, 1.5])
def test_generalization_loss_approaches_the_exact_one(lambda_):
    t = np.array([1e3, 1e4])
    problem = Problem(lambda_, ETA)
    ratio = late_time_gen_loss(t, problem) / linear.gen_loss(t, problem)
    assert np.all(np.abs(ratio - 1) < [0.01, 0.001])


@pytest.mark.parametrize(
    ("lambda_", "train", "gen"), [(1e-2, 2.29, 1.96), (1e-3, 38.0, 21.0), (1e-4, 1124, 344)]
)
def test_late_losses_need_more_than_the_papers_condition(lambda_, train, gen):
    """Eqs. 22 and 23 at x = 10√λ and 1/√λ against Eq. 9 and its integral, Eq. 21."""

    def exact(x):
        z = 8 * mpmath.sqrt(lambda_) * x
        return mpmath.exp(-4 * (1 + lambda_) * x) * mpmath.besseli(1, z) / (z / 2)

    def ratios(x):
        late = (f(float(x / ETA), Problem(lambda_, ETA)) for f in forms)
        rest = 4 * mpmath.quad(exact, [x, x + 1, x + 10, mpmath.inf])
        return [float(each / found) for each, found in zip(late, (exact(x), rest), strict=True)]

    forms = late_time_train_loss, late_time_gen_loss
    assert ratios(10 * mpmath.sqrt(lambda_)) == pytest.approx([train, gen], rel=0.02)
    assert ratios(1 / mpmath.sqrt(lambda_)) == pytest.approx([1 + 3 / 64] * 2, abs=0.01)


@pytest.mark.parametrize("lambda_", [0.5, 0.9, 1.5])
def test_generalization_loss_is_the_integral_of_the_training_loss(lambda_):
    q = abs(1 - mpmath.sqrt(lambda_))

    def train(x):
        return mpmath.exp(-4 * q**2 * x) / (
            16 * mpmath.sqrt(mpmath.pi) * mpmath.mpf(lambda_) ** 0.75 * x**1.5
        )

    x = 7.0
    expected = 4 * mpmath.quad(train, [x, 10 * x, 100 * x, mpmath.inf]) + max(0, 1 - 1 / lambda_)
    measured = late_time_gen_loss(x / ETA, Problem(lambda_, ETA))
    assert measured == pytest.approx(float(expected), rel=1e-9)


def test_simplest_form_is_far_off_for_long():
    t, problem = np.array([1e3, 1e4]), Problem(0.9, ETA)
    simplest = edge_gen_loss(t, problem)
    np.testing.assert_allclose(simplest / linear.gen_loss(t, problem), [8.1, 2.0], rtol=0.02)
    # It holds at q²x ≫ 1: here close to where both underflow.
    t = 170 / (1 - np.sqrt(0.9)) ** 2 / ETA
    ratio = edge_gen_loss(t, problem) / linear.gen_loss(t, problem)
    assert ratio == pytest.approx(1 + 3 / (8 * 170), rel=1e-3)


LOSSES = [late_time_train_loss, late_time_gen_loss, edge_gen_loss]


@pytest.mark.parametrize("loss", LOSSES)
def test_scaling_with_output_dimension_and_ends_of_time(loss):
    scaled = loss(700.0, Problem(0.9, ETA / 5)) / 5
    assert loss(700.0, Problem(0.9, ETA, d_out=5)) == pytest.approx(scaled, rel=1e-12)
    np.testing.assert_array_equal(loss([0.0, 1e12], Problem(0.9, ETA)), [np.inf, 0.0])


def test_small_epsilon_formula_is_approached_slowly():
    epsilon = np.array([1e-3, 1e-6, 1e-12])
    formula, seven = small_epsilon_delay(Problem(0.9, ETA, d_out=np.array([1, 7])))
    exact = grokking_time(Problem(0.9, ETA), epsilon)
    np.testing.assert_allclose(exact / formula, [0.36, 0.755, 0.91], atol=0.003)
    q = 1 - np.sqrt(0.9)
    assert formula == pytest.approx(np.log(1 / q) / (2 * ETA * q**2), rel=1e-12)
    assert seven == pytest.approx(7 * formula)


def test_small_epsilon_formula_is_the_limit_of_the_simplest_form():
    """The ratio of the two losses is 1/q² at all times, so is that of shifted exponentials."""
    q_squared = (1 - np.sqrt(0.5)) ** 2
    t, problem = 1000.0, Problem(0.5, ETA)
    late, train = edge_gen_loss(t, problem), late_time_train_loss(t, problem)
    delay = np.log(late / train) / (4 * ETA * q_squared)
    assert small_epsilon_delay(problem) == pytest.approx(delay, rel=1e-9)


def test_sharper_formula_is_close_to_the_exact_delay():
    lambda_ = np.array([0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999])
    problem = Problem(lambda_, ETA)
    error = np.abs(late_time_delay(problem, 1e-3) / grokking_time(problem, 1e-3) - 1)
    assert np.all(error[lambda_ >= 0.1] < 0.02)
    assert np.all(error[lambda_ >= 0.5] < 0.002)


@pytest.mark.parametrize("epsilon", [1e-3, 1e-8, 1e-12])
@pytest.mark.parametrize("lambda_", [0.3, 0.9, 1 - 1e-6])
def test_sharper_formula_is_between_the_late_time_crossings(lambda_, epsilon):
    delay = crossing(late_time_gen_loss, lambda_, epsilon) - crossing(
        late_time_train_loss, lambda_, epsilon
    )
    measured = late_time_delay(Problem(lambda_, ETA, d_out=5), epsilon, accuracy=0.9)
    assert measured == pytest.approx(delay, rel=1e-7)


@pytest.mark.parametrize("epsilon", [1e-3, 1e-8, 1e-12])
@pytest.mark.parametrize("lambda_", [0.3, 0.9, 1 - 1e-6])
def test_lambert_times_are_the_crossings_of_both_simplest_forms(lambda_, epsilon):
    times = lambert_times(Problem(lambda_, ETA, d_out=5), epsilon, accuracy=0.9)
    expected = [crossing(loss, lambda_, epsilon) for loss in (late_time_train_loss, edge_gen_loss)]
    assert times == pytest.approx(expected, rel=1e-9)


@mpmath.workdps(50)
@pytest.mark.parametrize(("lambda_", "epsilon"), [(0.5, 1e-3), (0.9, 1e-6), (0.95, 1e-9)])
def test_lambert_times_and_their_expansion_as_the_paper_prints_them(lambda_, epsilon):
    """Eqs. 24 to 26 in high precision, by the polynomial in λ that the paper writes out."""
    printed = mpmath.mpf(lambda_)
    q, unit = 1 - mpmath.sqrt(printed), 3 / (8 * ETA * (1 - mpmath.sqrt(printed)) ** 2)
    powers = ((1.5, 1), (1, -6), (0.5, 15), (0, -20), (-0.5, 15), (-1, -6), (-1.5, 1))
    sextic = sum(c * printed**power for power, c in powers) / mpmath.pi
    cubic = (printed**-1.5 + printed**-0.5 - 2 / printed) / mpmath.pi
    roots = [
        mpmath.cbrt(each) / (3 * mpmath.mpf(epsilon) ** (mpmath.mpf(2) / 3))
        for each in (sextic, cubic)
    ]
    z_train, z_gen = (2 ** (mpmath.mpf(5) / 3) * each for each in roots)
    problem, paper = Problem(lambda_, ETA), {"accuracy": float(mpmath.erf(mpmath.sqrt(2)))}
    expected = [float(unit * mpmath.lambertw(z)) for z in (z_train, z_gen)]
    assert lambert_times(problem, epsilon, **paper) == pytest.approx(expected, rel=1e-9)
    second = unit * mpmath.log(1 + mpmath.log(q ** (mpmath.mpf(4) / 3)) / mpmath.log(z_gen))
    expected = float(mpmath.log(1 / q) / (2 * ETA * q**2) + second)
    assert expanded_delay(problem, epsilon, **paper) == pytest.approx(expected, rel=1e-9)


def test_expansion_has_no_value_at_the_papers_own_parameters():
    """Its outer logarithm needs z_tr and z_gen on one side of 1."""
    epsilon = np.array([1e-3, 1e-4, 1e-6, 1e-12])
    problem = Problem(0.9, ETA)
    found = expanded_delay(problem, epsilon)
    np.testing.assert_array_equal(np.isnan(found), [True, True, False, False])
    exact = grokking_time(problem, epsilon[2:])
    np.testing.assert_allclose(found[2:] / exact, [1.04, 1.02], atol=0.01)


def test_lambert_times_against_the_exact_ones():
    trained, generalized = lambert_times(Problem(0.9, ETA), 1e-3)
    assert trained == pytest.approx(train_time(Problem(0.9, ETA), 1e-3), rel=0.01)
    delay = grokking_time(Problem(0.9, ETA), 1e-3)
    assert generalized - trained == pytest.approx(1.12 * delay, rel=0.01)


def crossing(loss, lambda_, epsilon):
    """Bisect a loss for its threshold at 90 % accuracy and d_out = 5."""
    problem = Problem(lambda_, ETA, d_out=5)
    target = linear.loss_threshold(epsilon, d_out=5, accuracy=0.9)
    low, high = -20.0, 100.0
    for _ in range(120):
        middle = 0.5 * (low + high)
        above = loss(np.exp(middle), problem) > target
        low, high = (middle, high) if above else (low, middle)
    return np.exp(low)


FORMULAS = {
    "train": lambda problem: late_time_train_loss(1e3, problem),
    "gen": lambda problem: late_time_gen_loss(1e3, problem),
    "edge": lambda problem: edge_gen_loss(1e3, problem),
    "small_epsilon": small_epsilon_delay,
    "lambert": lambda problem: lambert_times(problem, 1e-3),
    "expanded": lambda problem: expanded_delay(problem, 1e-3),
    "delay": lambda problem: late_time_delay(problem, 1e-3),
}


@pytest.mark.parametrize("name", ["edge", "small_epsilon", "lambert", "expanded", "delay"])
@pytest.mark.parametrize("lambda_", [1.0, 1.5])
def test_formulas_below_the_critical_ratio_refuse_others(name, lambda_):
    with pytest.raises(ValueError, match=f"lambda_ = {lambda_:g}: "):
        FORMULAS[name](Problem(lambda_, ETA))


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize(("field", "value"), [("gamma", 1e-9), ("alpha", 2.0), ("noise", 0.1)])
def test_formulas_refuse_what_they_leave_out(name, field, value):
    with pytest.raises(ValueError, match=f"^{field} = {value:g}: "):
        FORMULAS[name](Problem(0.9, ETA, **{field: [0.0 if field != "alpha" else 1.0, value]}))
