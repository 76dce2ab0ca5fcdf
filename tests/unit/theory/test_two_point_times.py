import numpy as np
import pytest
from oracles import settled, settled_log_time_to_accuracy
from scipy.special import ndtri

from linear_grokking.models import two_point as model
from linear_grokking.theory.two_point import TwoPoint, settled_log_ratio
from linear_grokking.theory.two_point_solution import first_root, orbits, solution
from linear_grokking.theory.two_point_times import (
    log_grokking_ratio,
    log_time_to_gen_accuracy,
    log_time_to_gen_loss,
    log_time_to_train_loss,
)

ETA = 0.02
LOG_TIMES = np.linspace(-10.0, 60.0, 71)


@pytest.mark.parametrize(
    ("s0", "b0"), [(0.1, 0.0), (0.0, 0.0), (-0.6, -0.2), (-0.6, 0.5), (2.0, 0.5), (0.3, -3.0)]
)
@pytest.mark.parametrize("lambda_", [0.0, 0.3, 0.495, 0.5, 0.53, 0.8, 1.0])
def test_first_crossings_against_the_sampled_solution(lambda_, s0, b0):
    epsilon, accuracy = 0.01, 0.95
    for sigma in (0.7, 4.0):
        problem = TwoPoint.at_lambda(lambda_, sigma, ETA, s0, b0)
        times = np.append(-np.inf, LOG_TIMES)
        sampled = solution(times, problem)

        def excess(state, kind, problem=problem):
            if kind == "train":
                loss = model.log_train_loss(state.weight, state.bias, problem)
                return np.log(epsilon) - loss
            if kind == "gen":
                return np.log(epsilon) - model.log_gen_loss(state.weight, state.bias, problem)
            return model.gen_accuracy(state.weight, state.bias, problem) - accuracy

        for kind, found in (
            ("train", log_time_to_train_loss(epsilon, problem)),
            ("gen", log_time_to_gen_loss(epsilon, problem)),
            ("accuracy", log_time_to_gen_accuracy(accuracy, problem)),
        ):
            reached = excess(sampled, kind) >= 0.0
            if np.isfinite(found) and found < LOG_TIMES[-1]:
                assert abs(excess(solution(found, problem), kind)) < 1e-8
                assert not np.any(reached[times < found - 1e-6])
            elif found == -np.inf:
                assert np.all(reached[1:3]) or np.all(reached[:2])
            else:
                assert not np.any(reached)


def test_times_follow_the_model_of_a_resting_weight():
    # λ = 0, S₀ = 0: e^{-b} = e^{-b₀} + ηt, losses e^b.
    problem = TwoPoint(1.0, 2.0, 0.1, 0.0, 0.5)
    log_t = np.log((1e3 - np.exp(-0.5)) / 0.1)
    assert log_time_to_train_loss(1e-3, problem) == pytest.approx(log_t, rel=1e-10)
    assert log_time_to_gen_loss(1e-3, problem) == pytest.approx(log_t, rel=1e-10)
    assert log_grokking_ratio(1e-3, problem) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("lambda_", [0.2, 0.45, 0.4995])
def test_times_from_a_start_at_s_infinity_are_those_of_the_settled_bias(lambda_):
    sigma, b0, epsilon = 3.0, 0.4, 1e-4
    u, log_c = settled(lambda_)
    problem = TwoPoint.at_lambda(lambda_, sigma, ETA, u / sigma, b0)
    # e^{-b} = e^{-b₀} + ηC_∞t; the losses are C_∞e^b and e^{b+s²/2}, the accuracy Φ(-b/s).
    for found, minus_b in (
        (log_time_to_train_loss(epsilon, problem), log_c - np.log(epsilon)),
        (log_time_to_gen_loss(epsilon, problem), 0.5 * u**2 - np.log(epsilon)),
        (log_time_to_gen_accuracy(0.95, problem), ndtri(0.95) * u),
    ):
        time = (np.exp(minus_b) - np.exp(-b0)) / (ETA * np.exp(log_c))
        assert found == pytest.approx(np.log(time), rel=1e-9)
    assert log_time_to_train_loss(2.0, problem) == -np.inf


def test_log_ratio_at_the_papers_distance():
    # 1-2λ = 1e-3, ε = 1e-3: far from settled at σ = 1, settled from σ = 20 on.
    problem = TwoPoint(1e-3, [1.0, 5.0, 20.0, 100.0], 0.01, 0.1, 0.0)
    found = log_grokking_ratio(1e-3, problem)
    assert found == pytest.approx([2.80, 19.6, 24.50, 24.50], abs=0.04)
    assert found[2:] == pytest.approx(settled_log_ratio(0.4995), rel=2e-4)
    assert found[:2] == pytest.approx([2.796, 19.629], abs=1e-3)


def test_root_of_the_ratio_has_slope_one_over_root_two():
    distance = np.geomspace(1e-8, 0.02, 60)
    # σ²(1-2λ) ln(ηt) is large throughout.
    ratio = log_grokking_ratio(1e-3, TwoPoint(distance, 1e4, 0.01, 1e-5, 0.0))
    slope = np.gradient(np.sqrt(ratio), -np.log(distance))
    assert slope == pytest.approx(2.0**-0.5, rel=0.05)


def test_ratio_where_a_loss_starts_at_the_threshold():
    assert log_grokking_ratio(2.0, TwoPoint(0.2, 1.0, 0.1, 0.1, 0.0)) == 0.0
    assert log_grokking_ratio(1e-3, TwoPoint(-0.8, 5.0, 0.1, 0.1, 0.0)) == np.inf


def test_map_diverges_only_when_both_limits_are_taken():
    sigma, distance = np.array([1.0, 5.0, 400.0]), np.array([0.5, 1e-2, 1e-12])
    problem = TwoPoint(distance, sigma[:, None], 0.01, 0.1, 0.0)
    found = log_time_to_gen_accuracy(0.95, problem)
    for i, s in enumerate(sigma):
        for j, x in enumerate(distance):
            expected = log_time_to_gen_accuracy(0.95, TwoPoint(x, s, 0.01, 0.1, 0.0))
            assert found[i, j] == pytest.approx(float(expected), rel=1e-6)
    # Weights that settle first leave b to bring the accuracy, whatever σ.
    expected = settled_log_time_to_accuracy(0.95, 0.495, 0.01)
    assert found[2, 1] == pytest.approx(expected, rel=2e-3)
    # The closest distance alone changes little at σ = 1, and all at large σ.
    assert found[0, 2] - found[0, 1] < 0.2
    assert found[2, 2] - found[2, 1] > 8.0


def test_map_of_a_hundred_and_twenty_squared_has_no_gaps():
    sigma, distance = np.geomspace(0.3, 50.0, 120), np.geomspace(1e-6, 0.7, 120)
    problem = TwoPoint(distance, sigma[:, None], 0.01, 0.1, 0.0)
    found = log_time_to_gen_accuracy(0.95, problem)
    assert found.shape == (120, 120)
    assert np.all(np.isfinite(found))
    # Neighbours differ little: contour lines need no smoothing.
    assert np.max(np.abs(np.diff(found, axis=0))) < 1.0
    assert np.max(np.abs(np.diff(found, axis=1))) < 1.0


def test_separable_sets_reach_the_accuracy_or_never_do():
    # The limit is Φ(1/(σM)), M = σ(2λ-1).
    sigma, z = 2.0, ndtri(0.95)
    critical = 0.5 + 0.5 / (z * sigma**2)
    lambda_ = critical + np.array([-1e-2, 1e-2])
    found = log_time_to_gen_accuracy(0.95, TwoPoint.at_lambda(lambda_, sigma, 0.01, 0.1, 0.0))
    assert np.isfinite(found[0])
    assert found[1] == np.inf


def test_accuracy_from_rest_is_at_once_what_the_first_step_makes_it():
    # Φ(1/(σ²λ)) as t → 0.
    lambda_, z = 0.4, ndtri(0.95)
    sigma = np.sqrt(np.array([0.99, 1.01]) / (z * lambda_))
    found = log_time_to_gen_accuracy(0.95, TwoPoint.at_lambda(lambda_, sigma, 0.01, 0.0, 0.0))
    assert found[0] == -np.inf
    assert np.isfinite(found[1])


@pytest.mark.parametrize(
    ("function", "threshold", "name"),
    [
        (log_time_to_train_loss, 0.0, "epsilon"),
        (log_time_to_gen_loss, -1.0, "epsilon"),
        (log_time_to_gen_accuracy, 0.5, "accuracy"),
    ],
)
def test_rejects_what_lies_outside(function, threshold, name):
    with pytest.raises(ValueError, match=name):
        function(threshold, TwoPoint(0.2, 1.0, 0.1, 0.1, 0.0))
    with pytest.raises(ValueError, match="distance"):
        function(0.9, TwoPoint(1.8, 1.0, 0.1, 0.1, 0.0))
    with pytest.raises(ValueError, match="eta"):
        function(0.9, TwoPoint(0.2, 1.0, 0.0, 0.1, 0.0))


def test_reports_a_root_that_is_not_found():
    _, orbit = orbits(TwoPoint(0.2, 1.0, 0.1, 0.1, 0.0))

    def broken(y, *_):
        return np.where(y < -1.5, -1.0, np.where(y > 2.0, 1.0, np.nan))

    with pytest.raises(RuntimeError, match="no root"):
        first_root(broken, orbit, np.zeros(1), np.array([-2.0]), np.array([3.0]))
