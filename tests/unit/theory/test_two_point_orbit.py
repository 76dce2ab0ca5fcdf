import mpmath as mp
import numpy as np
import pytest
import two_point_reference as reference
from oracles import closed_weight
from scipy.integrate import solve_ivp

from linear_grokking.theory.two_point import TwoPoint, s_infinity
from linear_grokking.theory.two_point_orbit import (
    coordinate,
    log_conformal_time,
    log_time,
    point,
)
from linear_grokking.theory.two_point_solution import orbits, solution

START = {"eta": 0.05, "u0": -0.2, "b0": 0.3}


def problem_at(lambda_: float, sigma: float) -> TwoPoint:
    return TwoPoint.at_lambda(lambda_, sigma, START["eta"], START["u0"] / sigma, START["b0"])


# λ on both sides, at and next to the critical point; σ from slow to fast weights.
CASES = [
    (0.0625, 1.0),
    (0.25, 0.3),
    (0.25, 20.0),
    (0.4375, 5.0),
    (0.49993896484375, 1.0),
    (0.49993896484375, 30.0),
    (0.5, 1.0),
    (0.5, 5.0),
    (0.50006103515625, 2.0),
    (0.625, 0.3),
    (0.75, 1.0),
    (0.75, 10.0),
    (0.96875, 3.0),
]


# δ and u₀: below the end point, beyond it, and without one.
PATHS = [(0.3, -1.0), (0.3, 2.0), (1.0, -0.5), (1.0, 0.5), (0.0, 0.2), (-0.4, -0.7), (-1.0, 0.1)]


@pytest.mark.parametrize(("delta", "u0"), PATHS)
def test_quantities_along_an_orbit_are_those_of_the_flow(delta, u0):
    """β and h of the equations written out; slopes by differences."""
    sigma = 1.7
    _, orbit = orbits(TwoPoint(delta, sigma, 1.0, u0 / sigma, 0.3))
    start = coordinate(orbit.u0, orbit.distance)
    y = start + np.array([0.5, 2.0, 4.0])[:, np.newaxis]
    at = point(y, orbit)
    shares = np.exp(-at.u), np.exp(delta * at.u)
    assert at.h == pytest.approx((shares[0] - delta * shares[1]) / (shares[0] + shares[1]))
    assert np.exp(coordinate(at.u, orbit.distance)) == pytest.approx(np.exp(y), rel=1e-9)
    v, v0 = np.exp((1.0 + delta) * at.u), np.exp((1.0 + delta) * u0)
    rest = v - v0 if delta == 0 else -np.log((1.0 - delta * v) / (1.0 - delta * v0)) / delta
    assert at.fall == pytest.approx((at.u - u0 + rest) / sigma**2)
    ahead, behind = point(y + 1e-4, orbit), point(y - 1e-4, orbit)
    assert at.fall_slope == pytest.approx((ahead.fall - behind.fall) / 2e-4, rel=1e-6)
    by_fall = (ahead.u - behind.u) / (ahead.fall - behind.fall)
    assert by_fall == pytest.approx(sigma**2 * at.h, rel=1e-6)


@pytest.mark.parametrize(("lambda_", "sigma"), CASES)
def test_orbit_and_time_in_high_precision(lambda_, sigma):
    delta = 1.0 - 2.0 * lambda_
    end = min(float(s_infinity(lambda_, sigma)) * sigma, 6.0)
    u = START["u0"] + (end - START["u0"]) * np.array([0.01, 0.3, 0.7, 0.95, 0.9999])
    with mp.workdps(40):
        parameters = {"delta": delta, "sigma": sigma, **START}
        times = [float(reference.log_time(mp.mpf(x), **parameters)) for x in u]
        parameters.pop("eta")
        biases = [float(reference.bias(mp.mpf(x), **parameters)) for x in u]
    _, orbit = orbits(problem_at(np.full(u.shape, lambda_), sigma))
    y = coordinate(u, orbit.distance)
    assert log_time(y, orbit) - np.log(orbit.eta) == pytest.approx(times, rel=1e-9, abs=1e-9)
    assert orbit.b0 - point(y, orbit).fall == pytest.approx(biases, rel=1e-9, abs=1e-12)


def output_at(found_bias: float, found_weight: float, delta: float, sigma: float) -> mp.mpf:
    """Return σS to more digits than a double holds, from b on the orbit, for δ > 0."""
    u0 = mp.mpf(START["u0"])
    x = mp.mpf(sigma) ** 2 * (mp.mpf(START["b0"]) - found_bias)
    start = mp.log(1 - delta * mp.exp((1 + mp.mpf(delta)) * u0))
    u = mp.mpf(found_weight) * sigma
    for _ in range(40):
        p = mp.exp(start - delta * (x - (u - u0)))
        u = reference.end_point(mp.mpf(delta)) + mp.log1p(-p) / (1 + mp.mpf(delta))
    return u


def settled_digits(lambda_: float, sigma: float, log_t: float) -> float:
    """Return how many digits of σS and σS_∞ agree."""
    return max(0.0, 1.0 - 2.0 * lambda_) * sigma**2 * log_t / np.log(10.0)


@pytest.mark.parametrize(
    ("lambda_", "sigma", "log_t"),
    [
        (*case, log_t)
        for case in CASES
        for log_t in (0.0, 4.0, 12.0, 100.0, 1000.0)
        if settled_digits(*case, log_t) < 500  # what mpmath does quickly
    ],
)
def test_solution_in_high_precision(lambda_, sigma, log_t):
    delta = 1.0 - 2.0 * lambda_
    digits = settled_digits(lambda_, sigma, log_t)
    found = solution(log_t, problem_at(lambda_, sigma))
    weight, bias = float(found.weight), float(found.bias)
    parameters = {"delta": delta, "sigma": sigma, "u0": START["u0"], "b0": START["b0"]}
    with mp.workdps(40 + int(digits)):
        u = mp.mpf(weight) * sigma
        if delta * sigma**2 * log_t > 5.0:
            u = output_at(bias, weight, delta, sigma)
            assert float(u) / sigma == pytest.approx(weight, rel=1e-9)
        assert float(reference.bias(u, **parameters)) == pytest.approx(bias, rel=1e-8, abs=1e-8)
        time = float(reference.log_time(u, **parameters, eta=START["eta"]))
    assert time == pytest.approx(log_t, rel=1e-8, abs=1e-8)


def flow(lambda_: float, sigma: float, eta: float, s0: float, b0: float, t: float) -> np.ndarray:
    """Integrate S, b and τ to time t from the gradient of ½(e^{Sx₁+b} + e^{Sx₂+b})."""
    points = sigma * np.array([-1.0, 1.0 - 2.0 * lambda_])

    def velocity(_: float, state: np.ndarray) -> list[float]:
        losses = 0.5 * np.exp(state[0] * points + state[1])
        return [-eta * (points @ losses), -eta * losses.sum(), np.exp(state[1])]

    found = solve_ivp(velocity, (0.0, t), [s0, b0, 0.0], method="DOP853", rtol=1e-12, atol=1e-14)
    return found.y[:, -1]


@pytest.mark.parametrize("lambda_", [0.0, 0.2, 0.49, 0.5, 0.51, 0.8, 1.0])
@pytest.mark.parametrize(("s0", "b0"), [(-1.5, 0.5), (0.0, 0.0), (0.1, -0.5), (3.0, 1.0)])
def test_solution_against_direct_integration(lambda_, s0, b0):
    sigma, eta = 1.5, 0.03
    times = np.array([0.3, 10.0, 300.0])
    found = solution(np.log(times), TwoPoint.at_lambda(lambda_, sigma, eta, s0, b0))
    expected = np.array([flow(lambda_, sigma, eta, s0, b0, t) for t in times]).T
    assert found.weight == pytest.approx(expected[0], rel=1e-8, abs=1e-9)
    assert found.bias == pytest.approx(expected[1], rel=1e-8, abs=1e-9)
    assert np.exp(found.log_conformal_time) == pytest.approx(expected[2], rel=1e-8)


@pytest.mark.parametrize("lambda_", [0.0, 0.5, 1.0])
def test_closed_forms_in_conformal_time(lambda_):
    sigma, eta, s0 = 2.0, 0.1, 0.3
    log_t = np.array([-np.inf, -7.0, 0.0, 8.0, 60.0])
    state = solution(log_t, TwoPoint.at_lambda(lambda_, sigma, eta, s0, -0.7))
    weight = closed_weight(np.exp(state.log_conformal_time), lambda_, sigma, eta, s0)
    assert state.weight == pytest.approx(weight, rel=1e-9, abs=1e-12)


def test_times_of_many_orbits_are_those_of_each():
    distance = np.linspace(-1.0, 1.0, 5000)
    _, orbit = orbits(TwoPoint(distance, 2.0, 0.1, 0.3, -0.7))
    y = coordinate(orbit.u0, orbit.distance) + 1.0
    for time in (log_time, log_conformal_time):
        alone = time(y[[7, 4321]], orbit[[7, 4321]])
        assert time(y, orbit)[[7, 4321]] == pytest.approx(alone, rel=1e-14)


def test_states_at_times_beyond_any_floating_point_number():
    # Settled: b = -ln(ηC_∞t).  Critical and separable: the laws of Paper B's Table 1.
    log_t = 1e6
    settled = solution(log_t, TwoPoint.at_lambda(0.4, 5.0, 0.01, 0.1, 0.0))
    u = float(s_infinity(0.4, 1.0))
    mean = 0.5 * (np.exp(-u) + np.exp(0.2 * u))
    assert settled.weight == pytest.approx(u / 5.0, rel=1e-12)
    assert settled.bias == pytest.approx(-np.log(0.01 * mean) - log_t, abs=1e-3)
    critical = solution(log_t, TwoPoint(0.0, 1.0, 0.01, 0.1, 0.0))
    assert critical.weight == pytest.approx(np.log(log_t), rel=1e-4)
    separable = solution(log_t, TwoPoint(-0.2, 1.0, 0.01, 0.1, 0.0))
    assert separable.weight / log_t == pytest.approx(0.2 / 1.04, rel=1e-4)
    assert separable.bias / log_t == pytest.approx(-1.0 / 1.04, rel=1e-4)


def test_solution_is_continuous_through_the_critical_point():
    distance = 2.0 * np.array([1e-9, 1e-13, 0.0, -1e-13, -1e-9])
    found = solution(200.0, TwoPoint(distance, 3.0, 0.01, 0.1, 0.0))
    assert found.weight == pytest.approx(found.weight[2], rel=1e-5)
    assert found.bias == pytest.approx(found.bias[2], rel=1e-7)


def test_start_and_resting_weight():
    start = solution(-np.inf, TwoPoint([0.4, 0.0, -0.8], 2.0, 0.01, 0.4, -0.2))
    assert start.weight == pytest.approx(0.4, rel=1e-12)
    assert start.bias == pytest.approx(-0.2, rel=1e-12)
    assert np.all(start.log_conformal_time == -np.inf)
    # From S_∞ only b moves: e^{-b} = e^{-b₀} + ηC t.
    resting = solution(np.log(50.0), TwoPoint(1.0, 1.0, 0.1, 0.0, 0.5))
    assert resting.weight == pytest.approx(0.0, abs=1e-12)
    assert resting.bias == pytest.approx(-np.log(np.exp(-0.5) + 5.0), rel=1e-10)


def test_arguments_broadcast():
    found = solution(np.zeros((3, 1)), TwoPoint([0.2, -0.2], 1.0, 0.01, 0.1, 0.0))
    assert {part.shape for part in found} == {(3, 2)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"distance": 1.1}, "distance"),
        ({"sigma": 0.0}, "sigma"),
        ({"eta": -1.0}, "eta"),
        ({"s0": 400.0}, r"sigma \* s0"),
        ({"b0": np.inf}, "b0"),
        ({"log_t": np.nan}, "log_t"),
    ],
)
def test_rejects_what_lies_outside(change, message):
    fields = {"distance": 0.2, "sigma": 1.0, "eta": 0.1, "s0": 0.1, "b0": 0.0, "log_t": 1.0}
    fields |= change
    with pytest.raises(ValueError, match=message):
        solution(fields.pop("log_t"), TwoPoint(**fields))
