"""Ends of gradient descent on inseparable rows, against closed forms and a stiff solver."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import expit

from linear_grokking import analyze
from linear_grokking.analysis import Settings, prepared
from linear_grokking.analysis.classification import label_constant
from linear_grokking.analysis.inseparable import growing_points, minimum, quasi_separable_end
from linear_grokking.analysis.samples import checked, split
from linear_grokking.analysis.tables import table


@pytest.mark.parametrize(("size", "offset"), [(1.0, 1e3), (1.0, 1e9), (1e7, 0.0), (1e-8, 1.0)])
def test_the_minimum_is_found_for_features_of_any_size_and_offset(size, offset):
    """Rows (s x + m, 1) are (x, 1) A, and the inverse of the Hessian is A⁻¹ H⁻¹ A⁻ᵀ."""
    rng = np.random.default_rng(1)
    features = rng.standard_normal((400, 3))
    labels = np.sign(features[:, 0] + 1.0 + 0.5 * rng.standard_normal(400))
    plain, _ = minimum(points := label_constant(features, labels), 1.0)
    slopes = expit(points @ plain)
    hessian = points.T @ ((slopes * (1.0 - slopes))[:, np.newaxis] * points) / len(points)
    back = np.diag([1.0 / size] * 3 + [1.0])
    back[3, :3] = -offset / size
    moved = label_constant(size * features + offset, labels)
    found, relaxation = minimum(moved, 1.0)
    assert moved @ found == pytest.approx(points @ plain, rel=1e-4, abs=1e-5)
    inverse = back @ np.linalg.inv(hessian) @ back.T
    assert relaxation == pytest.approx(np.linalg.norm(inverse, 2), rel=1e-4)


@pytest.mark.parametrize("size", [1e4, 1e7])
def test_an_outlier_among_inseparable_rows_is_no_warning(size):
    """Its margin is below -1000, where e^1000 overflows, or even 1e-8 of it is not resolved."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((100, 4))
    labels = np.sign(features[:, 0] + rng.standard_normal(100))
    features[0] = labels[0] * np.array([size, 0.0, 0.0, 0.0])
    points = label_constant(features, labels)
    here, _ = minimum(points, 1.0)
    assert (points @ here).min() < -1000
    assert points.T @ expit(points @ here) == pytest.approx(np.zeros(5), abs=1e-3)


def test_points_that_grow_are_those_off_the_face_of_the_hull_that_holds_the_origin():
    """Pairs ±a span a plane that no S can leave but by being 0 on it; the others lie below it."""
    rng = np.random.default_rng(0)
    pairs = rng.standard_normal((4, 2)) @ rng.standard_normal((2, 5))
    below = rng.standard_normal((6, 5))
    normal = np.linalg.svd(pairs)[2][-1]
    below -= np.outer(below @ normal + rng.uniform(0.1, 1.0, 6), normal)
    points = np.vstack([pairs, -pairs, below])
    assert growing_points(points).tolist() == [False] * 8 + [True] * 6
    assert not growing_points(points[:8]).any()
    assert growing_points(points[8:]).all()


def test_the_end_of_a_quasi_separable_set_in_closed_form():
    """Of e_1 there is one, of -e_1 three: S_1 → ln 3; -e_2 ∓ 2e_3 and -2e_2 leave S_2 to grow."""
    points = np.array(
        [[1, 0, 0], [-1, 0, 0], [-1, 0, 0], [-1, 0, 0], [0, -1, 2], [0, -1, -2], [0, -2, 0]], float
    )
    end = quasi_separable_end(points)
    assert end[0] == pytest.approx(np.log(3), rel=1e-6)
    assert end[1] > 100 and end[2] == pytest.approx(0, abs=1e-9)


def of_few_values(seed):
    """Rows of two or three values to a column, and labels of a noisy teacher."""
    rng = np.random.default_rng(seed)
    n, values, d = (int(rng.integers(*ends)) for ends in ((30, 120), (2, 4), (4, 12)))
    features = rng.integers(0, values, (n, d)).astype(float)
    outputs = (features - (values - 1) / 2) @ rng.standard_normal(d)
    return features, np.sign(outputs + 0.3 * rng.standard_normal(n))


@pytest.mark.parametrize("seed", [58, 83, 104, 127, 246, 344])
def test_accuracies_of_quasi_separable_rows_end_where_the_flow_does(seed):
    """The flow in ln t by a stiff solver, from ln t = -7 to 30."""
    features, labels = of_few_values(seed)
    found = analyze(features, labels, held_out=0.4)
    assert not found.with_bias.separable
    assert found.with_bias.s_inf_norm == found.relaxation_time == np.inf
    rows = split(features, labels, held_out=0.4, seed=0)
    points = label_constant(rows.inputs, rows.labels)
    held = label_constant(rows.held_inputs, rows.held_labels)

    def speed(log_time, weights):
        return -np.exp(log_time) * 0.01 * points.T @ expit(points @ weights) / len(points)

    def curvature(log_time, weights):
        slopes = expit(points @ weights)
        weighted = (slopes * (1.0 - slopes))[:, np.newaxis] * points
        return -np.exp(log_time) * 0.01 * points.T @ weighted / len(points)

    start = np.zeros(points.shape[1])
    end = solve_ivp(speed, (-7.0, 30.0), start, "BDF", jac=curvature, rtol=1e-7, atol=1e-10)
    for ours, those in (
        (found.limit_train_accuracy, points),
        (found.limit_gen_accuracy, held),
    ):
        assert ours == np.mean(those @ end.y[:, -1] < 0)


def test_that_weights_grow_for_ever_is_said_and_the_accuracy_is_that_of_a_run():
    features, labels = of_few_values(33)
    settings = Settings(held_out=0.4, accuracy=0.8)
    problem = prepared(checked(features, labels), settings)
    found = problem.summary()
    run = problem.run(np.array([1e7]))
    assert found.limit_train_accuracy == run["train_accuracy"][0] > 0.8
    assert found.limit_gen_accuracy == run["gen_accuracy"][0] > 0.8
    assert found.t_gen is None and not found.valid and "quasi-separable" in found.remarks[0]
    assert any("grow forever" in line and "settle within" in line for line in table(found))
