"""Gradient flow of the logistic model against literal descent, other integrators, identities."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import minimize
from stopping import Stopping

from linear_grokking.data.draws import classification, stacked
from linear_grokking.data.laws import Gaussian
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.models.losses import LOSSES
from linear_grokking.runtime.checkpoints import Interrupted
from linear_grokking.solvers.gradient_descent import gradient_descent
from linear_grokking.solvers.log_flow.curvature import LargestCurvature
from linear_grokking.solvers.log_flow.flow import gradient_flow
from linear_grokking.solvers.log_flow.log_time import _CURVATURE_MARGIN
from linear_grokking.solvers.trajectory import Outcome, SolverError

ETA = 0.01
LAW = Gaussian(5.0)
# Separable draws have no S_∞; 96 of 200 is below the transition, 110 above.
DIMENSIONS = (80, 96, 110)
CONVENTIONS = ((1e-3, 0.0), (1e-3, 1e-3))
"""Decay of S and of b: of the weights alone, of all."""


def draw(
    d=96,
    n=200,
    realizations=1,
    first=0,
    dtype=np.float64,
    law=LAW,
    put=np.asarray,
    loss="cross_entropy",
    **options,
):
    sets = [
        classification(
            law,
            seed=3,
            realization=first + k,
            n_train=n,
            d=d,
            s0_norm=0.1,
            label_fraction=options.get("label_fraction", 1.0),
            dtype=dtype,
        )
        for k in range(realizations)
    ]
    data = stacked(sets, put)
    model = LogisticModel(data.inputs, data.labels, law, loss=LOSSES[loss], **options)
    weights = np.stack([one.weights for one in sets]).astype(float)
    return model, (put(weights), put(np.zeros(realizations)))


def log_steps(t_max, count=40):
    return np.unique(np.rint(np.concatenate([[0.0], np.geomspace(1.0, t_max, count)])))


def relative_error(found, expected):
    difference = np.linalg.norm(found.params[0] - expected.params[0], axis=-1)
    return np.max(difference / np.linalg.norm(expected.params[0], axis=-1))


@pytest.mark.parametrize("d", DIMENSIONS)
def test_after_literal_steps_the_flow_follows_descent(d):
    model, params = draw(d)
    steps = log_steps(20_000)
    literal = gradient_descent(model, params, eta=ETA, steps=steps)
    flow = gradient_flow(model, params, eta=ETA, steps=steps, gd_steps=200)
    assert flow.require_completed().gradients < 500
    assert relative_error(flow, literal) < 3e-4
    for name, tolerance in (("weight_norm", 4e-4), ("bias", 1e-4), ("conformal_time", 6e-4)):
        np.testing.assert_allclose(
            flow.observables[name], literal.observables[name], rtol=tolerance, atol=5e-4
        )
    # One training point is 5e-3.
    for name, tolerance in (("train_accuracy", 5.1e-3), ("gen_accuracy", 1e-4)):
        np.testing.assert_allclose(
            flow.observables[name], literal.observables[name], atol=tolerance
        )
    for name in ("train_loss", "gen_loss"):
        np.testing.assert_allclose(flow.observables[name], literal.observables[name], rtol=3e-3)


@pytest.mark.parametrize("loss", ["cross_entropy", "exponential"])
def test_flow_agrees_with_an_explicit_method_of_high_order(loss):
    model, (weights, bias) = draw(96, n=200, loss=loss)
    times = np.array([0.5, 30.0, 1e3, 1e4, 3e4])

    def rate(s, y):
        by_weights, by_bias = model.gradient((y[None, :-2], y[None, -2]))
        slope = -ETA * np.exp(s)
        return np.concatenate([slope * by_weights[0], slope * by_bias, [np.exp(s + y[-2])]])

    start = np.concatenate([weights[0], bias, [0.0]])
    exact = solve_ivp(
        rate,
        (0.0, np.log1p(times[-1])),
        start,
        method="DOP853",
        t_eval=np.log1p(times),
        rtol=1e-9,
        atol=1e-10,
    ).y
    flow = gradient_flow(model, (weights, bias), eta=ETA, steps=times, gd_steps=0)
    norm = np.linalg.norm(exact[:-2], axis=0)
    np.testing.assert_allclose(flow.observables["weight_norm"][0], norm, rtol=3e-4)
    np.testing.assert_allclose(flow.observables["bias"][0], exact[-2], rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(flow.observables["conformal_time"][0], exact[-1], rtol=5e-4)
    np.testing.assert_allclose(flow.params[0][0], exact[:-2, -1], atol=2e-4 * norm[-1])
    # The records in between come from interpolation, the training loss from interpolated
    # outputs.  E[e^f] is e^{s²/2}, s ≈ 4.5: it magnifies errors of S twentyfold.
    for k in range(len(times)):
        expected = model.observables((exact[None, :-2, k], exact[-2:-1, k]))
        for name, tolerance in (("train_loss", 1e-3), ("gen_loss", 6e-3)):
            found = flow.observables[name][0, k]
            np.testing.assert_allclose(found, expected[name][0], rtol=tolerance)


def test_error_falls_with_the_tolerance_at_second_order():
    model, params = draw()
    steps = np.array([1e4])
    exact = gradient_flow(model, params, eta=ETA, steps=steps, gd_steps=0, rtol=1e-9)
    tolerances = np.array([1e-3, 1e-4, 1e-5, 1e-6])
    errors = [
        relative_error(
            gradient_flow(model, params, eta=ETA, steps=steps, gd_steps=0, rtol=rtol), exact
        )
        for rtol in tolerances
    ]
    assert np.all(errors < 2 * tolerances ** (2 / 3) * 1e-4 ** (1 / 3))
    # The error of a step is of third order, that of the run of second: a power of 2/3.
    slope = np.polyfit(np.log(tolerances), np.log(errors), 1)[0]
    assert slope == pytest.approx(2 / 3, abs=0.15)


def test_interpolation_adds_less_than_the_integration():
    model, params = draw()
    rtol = 1e-4
    few = np.array([1e5])
    many = log_steps(1e5, 300)
    dense = gradient_flow(model, params, eta=ETA, steps=many, gd_steps=0, rtol=rtol)
    alone = gradient_flow(model, params, eta=ETA, steps=few, gd_steps=0, rtol=rtol)
    np.testing.assert_array_equal(dense.params[0], alone.params[0])
    exact = gradient_flow(model, params, eta=ETA, steps=many, gd_steps=0, rtol=1e-8)
    error = np.abs(dense.observables["weight_norm"] / exact.observables["weight_norm"] - 1.0)
    assert error.max() < 3 * rtol


def test_a_batch_agrees_with_its_members():
    model, params = draw(realizations=4)
    steps = log_steps(1e5)
    batch = gradient_flow(model, params, eta=ETA, steps=steps).require_completed()
    for k in range(4):
        alone = gradient_flow(*draw(first=k), eta=ETA, steps=steps)
        for name, tolerance in (("weight_norm", 3e-4), ("bias", 2e-4), ("train_loss", 2e-3)):
            np.testing.assert_allclose(
                batch.observables[name][k],
                alone.observables[name][0],
                rtol=tolerance,
                atol=2e-4 if name == "bias" else 0,
            )


def test_torch_and_single_precision_follow_numpy_and_double():
    torch = pytest.importorskip("torch")
    steps = log_steps(1e6)
    model, params = draw(realizations=2)
    expected = gradient_flow(model, params, eta=ETA, steps=steps)
    single, _ = draw(realizations=2, dtype=np.float32)
    tensors, tensor_params = draw(realizations=2, put=torch.from_numpy)
    for found, tolerance in (
        (gradient_flow(single, params, eta=ETA, steps=steps), 1e-4),
        (gradient_flow(tensors, tensor_params, eta=ETA, steps=steps), 1e-9),
    ):
        for name, values in expected.observables.items():
            if name != "train_accuracy":
                np.testing.assert_allclose(
                    found.observables[name], values, rtol=tolerance, atol=tolerance
                )


def test_in_conformal_time_the_bias_drops_out():
    # Exponential loss: S(τ) is the path without bias (Paper B, Sec. 4).
    model, params = draw(loss="exponential")
    with_bias = gradient_flow(
        model, params, eta=ETA, steps=np.array([0.0, 1e3, 1e5]), gd_steps=0, rtol=1e-6
    )
    tau = with_bias.observables["conformal_time"][0, -1]
    free, _ = draw(loss="exponential", bias=False)
    path = gradient_flow(free, params, eta=ETA, steps=np.array([tau]), gd_steps=0, rtol=1e-6)
    assert relative_error(with_bias, path) < 3e-5
    np.testing.assert_allclose(path.observables["conformal_time"], tau, rtol=1e-6)


def test_rescaled_inputs_rescale_the_weights():
    # Without bias σS depends on ησ²t alone.
    model, (weights, bias) = draw(bias=False)
    unit, _ = draw(law=Gaussian(1.0), bias=False)
    steps = log_steps(1e4)
    expected = gradient_flow(model, (weights, bias), eta=ETA, steps=steps)
    found = gradient_flow(unit, (5 * weights, bias), eta=25 * ETA, steps=steps)
    np.testing.assert_allclose(found.params[0], 5 * expected.params[0], rtol=1e-6, atol=1e-8)
    for name in ("train_loss", "gen_loss", "gen_accuracy"):
        np.testing.assert_allclose(found.observables[name], expected.observables[name], rtol=1e-6)


def test_a_rotation_of_the_inputs_changes_nothing_seen():
    model, (weights, bias) = draw()
    one = classification(LAW, seed=3, realization=0, n_train=200, d=96)
    rotation, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((96, 96)))
    rotated = LogisticModel(
        (one.inputs @ rotation)[None], one.labels[None], LAW, loss=LOSSES["cross_entropy"]
    )
    steps = log_steps(1e5)
    expected = gradient_flow(model, (weights, bias), eta=ETA, steps=steps)
    found = gradient_flow(rotated, (weights @ rotation, bias), eta=ETA, steps=steps)
    for name in ("train_loss", "gen_loss", "gen_accuracy", "weight_norm", "bias"):
        np.testing.assert_allclose(
            found.observables[name], expected.observables[name], rtol=3e-4, atol=1e-5
        )


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("loss", ["cross_entropy", "exponential"])
def test_training_loss_falls_all_the_way(d, loss):
    model, params = draw(d, loss=loss)
    flow = gradient_flow(model, params, eta=ETA, steps=log_steps(1e12, 300), gd_steps=0)
    assert np.all(np.diff(flow.require_completed().observables["train_loss"]) < 0)


def test_late_times_follow_the_papers_limit():
    # b ≈ -log(η C_∞ t), C_∞ the least mean of e^{S·x} (Paper B, Sec. 3); t beyond float32.
    model, params = draw(60, dtype=np.float32)
    steps = np.array([1e6, 1e20, 1e60])
    flow = gradient_flow(model, params, eta=ETA, steps=steps).require_completed()
    outputs = model.outputs(*flow.params)[0] - flow.params[1][0]
    limit = -np.log(ETA * np.mean(np.exp(outputs)) * steps)
    np.testing.assert_allclose(flow.observables["bias"][0], limit, atol=2e-2)
    np.testing.assert_allclose(flow.observables["bias"][0, -1], limit[-1], atol=1e-3)


def test_mixed_labels_reach_the_least_loss():
    # With r < 1 and few dimensions the set is not separable: the flow ends at the minimum.
    model, params = draw(5, label_fraction=0.8)
    flow = gradient_flow(model, params, eta=ETA, steps=np.array([1e9]))
    by_weights, by_bias = model.gradient(flow.require_completed().params)
    assert np.abs(by_weights).max() < 1e-6
    assert np.abs(by_bias).max() < 1e-6


# ---- weight decay ----


@pytest.mark.parametrize("decays", CONVENTIONS)
@pytest.mark.parametrize("loss", ["cross_entropy", "exponential"])
@pytest.mark.parametrize(("n", "d"), [(60, 20), (60, 40)])
def test_decaying_flow_agrees_with_an_implicit_method(n, d, loss, decays):
    # With t = 5/(ηγ) the decay has done its work: the weights fall, or have stopped.
    model, (weights, bias) = draw(d, n=n, loss=loss, decays=decays)
    times = np.array([0.5, 1e3, 1e5, 5e5])

    def rate(s, y):
        by_weights, by_bias = model.gradient((y[None, :-1], y[None, -1]))
        slope = np.concatenate([by_weights[0] + decays[0] * y[:-1], by_bias + decays[1] * y[-1]])
        return -ETA * np.exp(s) * slope

    start, span = np.concatenate([weights[0], bias]), (0.0, np.log1p(times[-1]))
    options = {"t_eval": np.log1p(times), "rtol": 1e-7, "atol": 1e-9}
    exact = solve_ivp(rate, span, start, method="Radau", **options).y
    flow = gradient_flow(model, (weights, bias), eta=ETA, steps=times, gd_steps=0)
    norm = np.linalg.norm(exact[:-1], axis=0)
    np.testing.assert_allclose(flow.observables["weight_norm"][0], norm, rtol=5e-4, atol=1e-4)
    np.testing.assert_allclose(flow.observables["bias"][0], exact[-1], rtol=4e-4, atol=2e-4)
    np.testing.assert_allclose(flow.params[0][0], exact[:-1, -1], atol=2e-4 * norm.max())


@pytest.mark.parametrize("decays", CONVENTIONS)
def test_after_literal_steps_the_decaying_flow_follows_descent(decays):
    model, params = draw(120, decays=decays)
    steps = log_steps(300_000)
    literal = gradient_descent(model, params, eta=ETA, steps=steps)
    flow = gradient_flow(model, params, eta=ETA, steps=steps)
    for name in ("weight_norm", "bias", "conformal_time"):
        expected = literal.observables[name]
        np.testing.assert_allclose(flow.observables[name], expected, rtol=8e-4, atol=6e-4)
    # A minimum for all; with decay of the weights they are being forgotten.
    falls = flow.observables["weight_norm"][0].max() / flow.observables["weight_norm"][0, -1]
    assert (falls > 2) == (decays[1] == 0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("d", [80, 110])
def test_with_decay_of_all_the_flow_stops_at_the_minimum(d, dtype):
    gamma = 1e-3
    model, params = draw(d, dtype=dtype, decays=(gamma, gamma))
    flow = gradient_flow(model, params, eta=ETA, steps=np.array([1e5, 1e20])).require_completed()
    assert flow.gradients < 2000
    inputs = draw(d, decays=(gamma, gamma))[0]

    def objective(theta):
        outputs = inputs.outputs(theta[None, :-1], theta[-1:])
        by_weights, by_bias = inputs.gradient((theta[None, :-1], theta[-1:]))
        loss = np.mean(np.logaddexp(0.0, outputs)) + 0.5 * gamma * theta @ theta
        return loss, np.append(by_weights[0], by_bias) + gamma * theta

    least = minimize(objective, np.zeros(d + 1), jac=True, options={"gtol": 1e-9}).x
    found = np.append(flow.params[0][0], flow.params[1])
    assert np.linalg.norm(found - least) < 3e-4 * np.linalg.norm(least)


def test_without_bias_decay_of_the_weights_has_a_minimum():
    model, params = draw(110, bias=False, decays=(1e-3, 0.0))
    flow = gradient_flow(model, params, eta=ETA, steps=np.array([1e20])).require_completed()
    (by_weights, _) = model.gradient(flow.params)
    np.testing.assert_allclose(-by_weights / 1e-3, flow.params[0], atol=1e-3)


def one_gradient_at_a_time(monkeypatch):
    """Leave compiled stretches aside, as for sets beyond the cache and on other devices."""
    monkeypatch.setattr(LogisticModel, "stretches", lambda _: None)


@pytest.mark.parametrize("decays", [(0.0, 0.0), *CONVENTIONS])
@pytest.mark.parametrize("mixed_labels", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("loss", ["cross_entropy", "exponential"])
def test_compiled_stretches_do_what_the_solvers_do(monkeypatch, loss, bias, mixed_labels, decays):
    options = {"loss": loss, "bias": bias, "label_fraction": 0.9 if mixed_labels else 1.0}
    options["decays"] = decays
    model, params = draw(30, n=41, realizations=2, **options)
    params = params[0], np.array([0.3, -0.2])
    steps = log_steps(1e5)

    def run():
        return gradient_flow(model, params, eta=ETA, steps=steps, gd_steps=20, rtol=1e-6)

    assert model.stretches()
    found = run()
    one_gradient_at_a_time(monkeypatch)
    expected = run()
    assert found.gradients == expected.gradients
    for name, values in expected.observables.items():
        np.testing.assert_allclose(found.observables[name], values, rtol=1e-9, atol=1e-11)
    for mine, theirs in zip(found.params, expected.params, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-11)


# The state is offered at records at first, or at every GD step; then after steps of the flow.
@pytest.mark.parametrize(
    "stretches, offers",
    [(True, 1), (True, 12), (True, 30), (False, 1), (False, 37), (False, 51), (False, 70)],
)
def test_a_killed_run_goes_on_with_the_same_bits(monkeypatch, stretches, offers):
    if not stretches:
        one_gradient_at_a_time(monkeypatch)
    steps = log_steps(1e5)
    options = {"eta": ETA, "steps": steps, "gd_steps": 50}
    expected = gradient_flow(*draw(realizations=2), **options)
    checkpoint = Stopping(offers)
    with pytest.raises(Interrupted):
        gradient_flow(*draw(realizations=2), **options, checkpoint=checkpoint)
    found = gradient_flow(*draw(realizations=2), **options, checkpoint=checkpoint)
    for name, values in expected.observables.items():
        np.testing.assert_array_equal(found.observables[name], values)
    np.testing.assert_array_equal(found.params[0], expected.params[0])
    assert found.gradients == expected.gradients


def test_unfinished_runs_say_so():
    model, params = draw()
    steps = log_steps(1e5)
    stopped = gradient_flow(model, params, eta=ETA, steps=steps, max_gradients=100)
    assert stopped.outcome is Outcome.STEP_LIMIT
    assert np.all(np.isfinite(stopped.observables["train_loss"]))
    with pytest.raises(
        SolverError, match=r"STEP_LIMIT, last record at step \d+: .*bound on the steps"
    ):
        stopped.require_completed()
    exponential, _ = draw(loss="exponential")
    for gd_steps in (0, 10):
        overflown = gradient_flow(
            exponential, (1e3 * params[0], params[1]), eta=ETA, steps=steps, gd_steps=gd_steps
        )
        assert overflown.outcome is Outcome.DIVERGED
        assert not overflown.observables


def test_arguments_out_of_range_are_named():
    model, params = draw()
    steps = np.array([0.0, 10.0])
    with pytest.raises(ValueError, match="eta = 0: the learning rate must be positive"):
        gradient_flow(model, params, eta=0, steps=steps)
    with pytest.raises(ValueError, match="rtol=2: must lie between 0 and 1"):
        gradient_flow(model, params, eta=ETA, steps=steps, rtol=2)
    with pytest.raises(ValueError, match="gd_steps=-1"):
        gradient_flow(model, params, eta=ETA, steps=steps, gd_steps=-1)
    with pytest.raises(ValueError, match=r"must be whole numbers up to 200"):
        gradient_flow(model, params, eta=ETA, steps=np.array([0.0, 0.5]))
    with pytest.raises(ValueError, match=r"steps=.*must increase"):
        gradient_flow(model, params, eta=ETA, steps=np.array([500.0, 400.0]))


def test_the_curvature_estimate_with_its_margin_is_no_smaller_than_the_largest_eigenvalue():
    rng = np.random.default_rng(1)
    inputs, bias = rng.standard_normal((5, 200, 80)), rng.standard_normal(5)
    model = LogisticModel(inputs, -np.ones((5, 200)), Gaussian(1.0), loss=LOSSES["cross_entropy"])
    outputs = model.outputs(0.1 * rng.standard_normal((5, 80)), bias)
    rows = np.concatenate([inputs, np.ones((5, 200, 1))], axis=-1)
    hessian = rows.mT @ (model.curvatures(outputs)[..., None] * rows) / 200
    largest = np.linalg.eigvalsh(hessian)[:, -1]
    found = LargestCurvature(model).estimate(outputs, anew=True)
    assert np.all((largest <= _CURVATURE_MARGIN * found) & (found < 1.5 * largest))
