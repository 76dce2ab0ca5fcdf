"""Fig. B20 on small runs: its table against literal steps and a perceptron of its own."""

import numpy as np
import pytest
from figure_tables import drawn, pick
from scipy.special import expit, ndtr

from linear_grokking.data.draws import classification
from linear_grokking.data.laws import Gaussian
from linear_grokking.results.crossings import first_crossing

N = 60
STEPS = {
    "model": "logistic", "solver": "gradient_descent", "n_train": N, "lambda": 0.4, "sigma": 5,
    "realizations": 4, "t_max": 400, "records": 300, "dtype": "float64",
}  # fmt: skip
FLOW = {
    "model": "logistic", "n_train": N, "lambda": [0.3, 0.4], "sigma": 5, "eta": 1e-4,
    "realizations": 4, "t_max": 1e9, "records": 60,
}  # fmt: skip
CONFIG = {
    "seed": 1,
    "device": "cpu",
    "experiments": {
        "dynamics": {**STEPS, "eta": [0.12, 12]},
        "rates": {**STEPS, "lambda": [0.3, 0.4], "eta": [0.12, 0.6, 12]},
        "perceptron": {**STEPS, "lambda": [0.3, 0.4], "eta": 1e12},
        "flow": FLOW,
        "small": {**STEPS, "sigma": 2, "eta": 0.3},
        "large": {**STEPS, "sigma": 10, "eta": 0.06},
        "flows": {**FLOW, "lambda": 0.4, "sigma": [2, 5, 10],
                  "loss": ["cross_entropy", "exponential"]},
        "exponential": {**STEPS, "loss": "exponential", "eta": 0.015, "t_max": 20_000},
        "shifted": {**STEPS, "loss": "exponential", "eta": 0.015 * np.exp(5), "b0": -5},
        "overflow": {**STEPS, "b0": -20, "eta": [1e7, 1e8]},
        "overflow_small": {**STEPS, "sigma": 2, "b0": -20, "eta": [5e7, 5e8]},
        "overflow_large": {**STEPS, "sigma": 10, "b0": -20, "eta": [1e6, 2e7]},
        "without": {**STEPS, "law": "two_gaussians", "mu": 0.2, "sigma": 1, "sigma_a": 0.5,
                    "bias": False, "eta": [1.5, 24]},
    },
    "figures": {
        "B20": {
            "dynamics": "dynamics", "rates": "rates", "perceptron": "perceptron", "flow": "flow",
            "small_sigma": "small", "large_sigma": "large", "flow_sigma": "flows",
            "exponential": "exponential", "shifted": "shifted", "overflow": "overflow",
            "overflow_small_sigma": "overflow_small", "overflow_large_sigma": "overflow_large",
            "without_bias": "without",
        },
    },
}  # fmt: skip


@pytest.fixture
def table(tables):
    return tables["B20"]


def critical(lambda_, sigma, curvature=0.25):
    return 2 / (curvature * sigma**2 * (1 + np.sqrt(lambda_)) ** 2)


def drawn_set(lambda_, realization):
    sizes = {"n_train": N, "d": round(N * lambda_), "s0_norm": 0.1}
    return classification(Gaussian(5.0), seed=1, realization=realization, **sizes)


def descend(lambda_, realization, eta, steps):
    """Return accuracies after each step of the cross-entropy, by plain NumPy in float64."""
    data = drawn_set(lambda_, realization)
    inputs = data.inputs.astype(float)
    s, b = data.weights.astype(float), 0.0
    train, generalization = [], []
    for _ in range(steps + 1):
        outputs = inputs @ s + b
        train.append(np.mean(outputs < 0))
        generalization.append(float(ndtr(-b / (5.0 * np.linalg.norm(s)))))
        slopes = expit(outputs)
        s, b = s - eta * slopes @ inputs / N, b - eta * slopes.mean()
    return np.array(train), np.array(generalization)


def first_free(lambda_, realization, eta):
    train, generalization = descend(lambda_, realization, eta, 400)
    return generalization[np.argmax(train == 1.0)]


@pytest.mark.parametrize("eta", [0.12, 0.6, 12])
def test_accuracies_at_the_first_step_without_an_error_are_those_of_plain_steps(table, eta):
    points = pick(table, "error_free_accuracy", "first", lambda_=0.3)
    point = points[np.isclose(points["x"], eta / critical(0.3, 5))].iloc[0]
    expected = [first_free(0.3, k, eta) for k in range(4)]
    # Beyond step 50 not all are recorded.
    assert point["y"] == pytest.approx(np.quantile(expected, 0.5), abs=0.002)
    assert point["n"] == 4


def test_the_limit_is_the_perceptrons(table):
    lines = pick(table, "error_free_accuracy", "perceptron", lambda_=0.4)
    expected = [first_free(0.4, k, 1e12) for k in range(4)]
    np.testing.assert_allclose(lines["y"], np.quantile(expected, 0.5), atol=1e-6)


def test_times_are_in_units_of_the_rate_and_of_the_flow(table):
    times = pick(table, "scaled_time", "t95", lambda_=0.4).sort_values("x")
    np.testing.assert_allclose(times["x"], np.array([0.12, 0.6, 12]) / critical(0.4, 5))
    steps = np.arange(401)
    found = []
    for k in range(4):
        _, generalization = descend(0.4, k, 0.6, 400)
        found.append(0.6 * float(first_crossing(steps, generalization, 0.95)))
    assert times["y"].iloc[1] == pytest.approx(np.quantile(found, 0.5), rel=0.02)
    flow = pick(table, "scaled_time", "flow", lambda_=0.4)["y"].unique()
    assert len(flow) == 1
    assert times["y"].iloc[0] == pytest.approx(flow[0], rel=0.03)
    ratios = pick(table, "time_ratio", "cross_entropy")
    for sigma, eta in ((2, 0.3), (10, 0.06)):
        point = ratios[ratios["sigma"] == sigma].iloc[0]
        assert point["x"] == pytest.approx(eta / critical(0.4, sigma))
        assert point["y"] == pytest.approx(1.0, abs=0.1)
    exponential = pick(table, "time_ratio", "exponential")
    np.testing.assert_allclose(exponential["x"], 0.015 / critical(0.4, 5, 1.0))
    np.testing.assert_allclose(exponential["y"], 1.0, rtol=0.02)


def test_the_share_that_overflows_is_that_of_the_exponential_loss(table):
    shares = pick(table, "overflow", "share")
    for sigma, etas in ((5, (1e7, 1e8)), (2, (5e7, 5e8)), (10, (1e6, 2e7))):
        found = shares[shares["sigma"] == sigma].sort_values("x")
        scaled = np.array(etas) * np.exp(-20)
        np.testing.assert_allclose(found["x"], scaled / critical(0.4, sigma, 1.0), rtol=1e-6)
        np.testing.assert_array_equal(found["y"], [0.0, 1.0])
        assert set(found["n"]) == {4}


def test_curves_against_rate_times_step(table):
    flow = pick(table, "scaled_accuracy", "train", solver="gradient_flow")
    literal = pick(table, "scaled_accuracy", "train", solver="gradient_descent")
    assert flow["x"].max() == pytest.approx(1e9 * 1e-4)
    largest = literal[literal["eta"] == literal["eta"].max()]
    assert largest["x"].max() == pytest.approx(12 * 400)
    assert largest["y"].iloc[-1] == 1.0
    single = pick(table, "without_bias", "train")
    assert set(single["n"]) == {1}
    assert (single["x"] == np.rint(single["x"])).all()


def test_it_is_drawn_with_what_it_holds(table, tmp_path):
    figure = drawn("B20", table, tmp_path / "B20.png")
    letters = [each.get_title(loc="left") for each in figure.axes]
    assert letters == ["(a)", "(b)", "(c)", "(d)", "(e)", "(f)"]
    (legend,) = figure.legends
    words = [text.get_text() for text in legend.get_texts()]
    assert r"$\lambda$ = 0.3" in words and "not reached by most sets" in words
