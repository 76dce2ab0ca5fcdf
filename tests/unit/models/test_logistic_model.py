"""The logistic model's gradient, Hessian and observables against plain formulas."""

from functools import partial

import numpy as np
import pytest

from linear_grokking.data.laws import Gaussian, TwoGaussians
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.models.losses import LARGEST_LOSS, LOSSES
from linear_grokking.models.passes import row_pass

N, D, REALIZATIONS = 60, 7, 3
PLAIN_LOSSES = {"cross_entropy": lambda m: np.log1p(np.exp(m)), "exponential": np.exp}
PLAIN_SLOPES = {"cross_entropy": lambda m: 1 / (1 + np.exp(-m)), "exponential": np.exp}
CROSS_ENTROPY = LOSSES["cross_entropy"]


def draw(*, mixed_labels=False, dtype=np.float64, sigma=1.5, seed=0):
    """Return inputs, labels, and parameters of order one."""
    rng = np.random.default_rng(seed)
    inputs = (sigma * rng.standard_normal((REALIZATIONS, N, D))).astype(dtype)
    labels = -np.ones((REALIZATIONS, N))
    if mixed_labels:
        labels[rng.random(labels.shape) < 0.2] = 1.0
    weights = 0.3 * rng.standard_normal((REALIZATIONS, D))
    return inputs, labels, (weights, rng.standard_normal(REALIZATIONS))


def plain(loss):
    """Return its plain formula; that of a loss which has none here is tested in `test_losses`."""
    return PLAIN_LOSSES.get(loss.name, partial(loss.value, np))


def plain_loss(inputs, labels, weights, bias, loss):
    outputs = np.einsum("rnd,rd->rn", inputs, weights) + bias[:, None]
    return plain(loss)(-labels * outputs).mean(axis=-1)


@pytest.fixture(params=list(LOSSES.values()), ids=list(LOSSES))
def loss(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["one label", "both labels"])
def mixed_labels(request):
    return request.param


def test_gradient_is_the_derivative_of_the_mean_loss(loss, mixed_labels):
    inputs, labels, (weights, bias) = draw(mixed_labels=mixed_labels)
    model = LogisticModel(inputs, labels, Gaussian(1.5), loss=loss)
    by_weights, by_bias = model.gradient((weights, bias))
    step = 1e-5
    for k in range(D):
        shift = step * np.eye(D)[k]
        ahead = plain_loss(inputs, labels, weights + shift, bias, loss)
        behind = plain_loss(inputs, labels, weights - shift, bias, loss)
        np.testing.assert_allclose(by_weights[:, k], (ahead - behind) / (2 * step), rtol=1e-6)
    ahead = plain_loss(inputs, labels, weights, bias + step, loss)
    behind = plain_loss(inputs, labels, weights, bias - step, loss)
    np.testing.assert_allclose(by_bias, (ahead - behind) / (2 * step), rtol=1e-6)


def test_hessian_products_are_the_derivative_of_the_gradient(loss, mixed_labels):
    inputs, labels, (weights, bias) = draw(mixed_labels=mixed_labels)
    model = LogisticModel(inputs, labels, Gaussian(1.5), loss=loss)
    rng = np.random.default_rng(1)
    v, v_bias = rng.standard_normal((REALIZATIONS, D)), rng.standard_normal(REALIZATIONS)
    curvatures = model.curvatures(model.outputs(weights, bias))
    outputs, product, product_bias = model.hessian_product(curvatures, v, v_bias)
    step = 1e-5
    ahead = model.gradient((weights + step * v, bias + step * v_bias))
    behind = model.gradient((weights - step * v, bias - step * v_bias))
    expected = [(a - b) / (2 * step) for a, b in zip(ahead, behind, strict=True)]
    np.testing.assert_allclose(product, expected[0], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(product_bias, expected[1], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(outputs, np.einsum("rnd,rd->rn", inputs, v) + v_bias[:, None])


def test_without_bias_its_gradient_is_zero():
    inputs, labels, params = draw()
    model = LogisticModel(inputs, labels, Gaussian(1.5), loss=CROSS_ENTROPY, bias=False)
    np.testing.assert_array_equal(model.gradient(params)[1], np.zeros(REALIZATIONS))


def test_observables_are_means_over_the_set_and_the_law(loss, mixed_labels):
    inputs, labels, (weights, bias) = draw(mixed_labels=mixed_labels)
    fraction = 0.8 if mixed_labels else 1.0
    model = LogisticModel(inputs, labels, Gaussian(1.5), loss=loss, label_fraction=fraction)
    observables = model.observables((weights, bias))
    outputs = np.einsum("rnd,rd->rn", inputs, weights) + bias[:, None]
    np.testing.assert_allclose(
        observables["train_loss"], plain_loss(inputs, labels, weights, bias, loss), rtol=1e-13
    )
    np.testing.assert_array_equal(
        observables["train_accuracy"], np.mean(np.sign(outputs) == labels, axis=-1)
    )
    np.testing.assert_allclose(observables["weight_norm"], np.linalg.norm(weights, axis=-1))
    np.testing.assert_array_equal(observables["bias"], bias)
    # A million outputs; six standard errors fail a right program once in 1e8 runs.
    z = np.random.default_rng(2).standard_normal(10**6)
    for r in range(REALIZATIONS):
        fresh = bias[r] + 1.5 * np.linalg.norm(weights[r]) * z
        right = fraction * (fresh < 0) + (1 - fraction) * (fresh > 0)
        losses = fraction * plain(loss)(fresh) + (1 - fraction) * plain(loss)(-fresh)
        for name, sample in (("gen_accuracy", right), ("gen_loss", losses)):
            error = sample.std() / 1e3
            assert abs(observables[name][r] - sample.mean()) < 6 * error


def test_a_sampled_test_set_agrees_with_the_law():
    # 4e4 samples; six standard errors fail a right program once in 1e8 runs.
    law = TwoGaussians(sigma=1.0, mu=0.7, sigma_a=0.3)
    test = np.empty((1, 40_000, D))
    law.draw(np.random.default_rng(3), test[0])
    inputs, labels, (weights, bias) = draw()
    inputs, labels, params = inputs[:1], labels[:1], (weights[:1], bias[:1])
    exact, sampled = (
        LogisticModel(inputs, labels, law, loss=CROSS_ENTROPY, bias=False, fresh=fresh).observables(
            params
        )
        for fresh in (None, test)
    )
    outputs = test[0] @ params[0][0] + params[1][0]
    np.testing.assert_allclose(sampled["gen_accuracy"], np.mean(outputs < 0), rtol=1e-14)
    for name, values in (
        ("gen_accuracy", outputs < 0),
        ("gen_loss", np.log1p(np.exp(outputs))),
    ):
        assert abs(sampled[name][0] - exact[name][0]) < 6 * values.std() / 200


@pytest.mark.parametrize("bias", [-60.0, -95.0, -300.0])
def test_float32_inputs_keep_gradients_below_its_range(bias):
    inputs, labels, (weights, _) = draw()
    biases = np.full(REALIZATIONS, bias)
    single, double = (
        LogisticModel(inputs.astype(dtype), labels, Gaussian(1.5), loss=CROSS_ENTROPY)
        for dtype in (np.float32, np.float64)
    )
    for found, expected in zip(
        single.gradient((weights, biases)), double.gradient((weights, biases)), strict=True
    ):
        assert found.dtype == np.float64
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found / scale, expected / scale, atol=1e-5)


@pytest.mark.parametrize("first", [4, 5, 60])
def test_float32_inputs_stand_weights_that_grow_along_the_rows(first):
    # The first weights are e^-60, the others e^60: both ends of float32 and beyond.
    inputs, labels, (weights, _) = draw()
    weights[:] = np.eye(D)[0]
    inputs[:, :, 0] = np.where(np.arange(N) < first, -60, 60)
    single, double = (
        LogisticModel(inputs.astype(dtype), labels, Gaussian(1.5), loss=LOSSES["exponential"])
        for dtype in (np.float32, np.float64)
    )
    params = weights, np.zeros(REALIZATIONS)
    for found, expected in zip(single.gradient(params), double.gradient(params), strict=True):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found / scale, expected / scale, atol=1e-5)


@pytest.fixture
def small_ranges(monkeypatch):
    """Make 60 rows of 7 numbers a large matrix, of ranges that are no multiple of 4 rows."""
    monkeypatch.setattr(row_pass, "_RANGE_BYTES", 13 * D * 8)


def test_ranges_of_rows_give_what_one_product_gives(small_ranges, loss, mixed_labels):
    inputs, labels, params = draw(mixed_labels=mixed_labels)
    law = Gaussian(1.5)
    model = LogisticModel(inputs, labels, law, loss=loss)
    by_weights, by_bias, found = model.gradient_and_outputs(*params)
    outputs = np.einsum("rnd,rd->rn", inputs, params[0]) + params[1][:, None]
    np.testing.assert_allclose(found, outputs, rtol=1e-13, atol=1e-14)
    slopes = PLAIN_SLOPES.get(loss.name, partial(loss.slope, np))(-labels * outputs)
    expected = np.einsum("rnd,rn->rd", inputs, -labels * slopes) / N
    np.testing.assert_allclose(by_weights, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(by_bias, np.mean(-labels * slopes, axis=-1), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_change_no_bit(small_ranges, dtype):
    inputs, labels, params = draw(dtype=dtype)
    one, four = (
        LogisticModel(inputs, labels, Gaussian(1.5), loss=CROSS_ENTROPY, threads=threads)
        for threads in (1, 4)
    )
    pairs = zip(one.gradient_and_outputs(*params), four.gradient_and_outputs(*params), strict=True)
    for a, b in pairs:
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one.outputs(*params), four.outputs(*params))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_torch_gives_what_numpy_gives(loss, mixed_labels, dtype):
    torch = pytest.importorskip("torch")
    inputs, labels, params = draw(mixed_labels=mixed_labels, dtype=dtype)
    law = Gaussian(1.5)
    expected = LogisticModel(inputs, labels, law, loss=loss)
    model = LogisticModel(torch.from_numpy(inputs), torch.from_numpy(labels), law, loss=loss)
    tensors = tuple(torch.from_numpy(value) for value in params)
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    for a, b in zip(
        model.gradient_and_outputs(*tensors), expected.gradient_and_outputs(*params), strict=True
    ):
        assert a.dtype == torch.float64
        np.testing.assert_allclose(a.numpy(), b, rtol=rtol, atol=rtol)
    found = model.observables(tensors)
    for name, value in expected.observables(params).items():
        np.testing.assert_allclose(np.asarray(found[name]), value, rtol=rtol)


def test_a_bias_that_is_not_trained_does_not_decay():
    inputs, labels, _ = draw()
    for bias, expected in ((True, (0.1, 0.2)), (False, (0.1, 0.0))):
        options = {"bias": bias, "decays": (0.1, 0.2)}
        model = LogisticModel(inputs, labels, Gaussian(1.5), loss=CROSS_ENTROPY, **options)
        assert model.decays == expected


def test_arguments_out_of_range_are_named():
    inputs, labels, _ = draw()
    law = Gaussian(1.5)
    with pytest.raises(ValueError, match=r"inputs \(3, 60, 7\), labels \(3, 59\)"):
        LogisticModel(inputs, labels[:, :-1], law, loss=CROSS_ENTROPY)
    with pytest.raises(ValueError, match="labels: must be -1 or"):
        LogisticModel(inputs, 0 * labels, law, loss=CROSS_ENTROPY)
    for decays in ((-1, 0.0), (0.0, np.inf), (np.nan, 0.0)):
        with pytest.raises(ValueError, match=r"decays = .*: must be finite numbers, at least 0"):
            LogisticModel(inputs, labels, law, loss=CROSS_ENTROPY, decays=decays)
    with pytest.raises(ValueError, match="fresh: allowed only with label_fraction=1"):
        LogisticModel(inputs, labels, law, loss=CROSS_ENTROPY, label_fraction=0.9, fresh=inputs)


def test_an_output_of_zero_is_wrong_on_training_and_on_fresh_inputs():
    inputs, fresh = np.random.default_rng(0).standard_normal((2, 1, 6, 3))
    model = LogisticModel(
        inputs, -np.ones((1, 6)), Gaussian(1.0), loss=LOSSES["cross_entropy"], fresh=fresh
    )
    found = model.observables((np.zeros((1, 3)), np.zeros(1)))
    assert (found["train_accuracy"], found["gen_accuracy"]) == (0.0, 0.0)


def test_a_loss_on_fresh_inputs_that_overflows_is_capped():
    inputs, fresh = np.random.default_rng(0).standard_normal((2, 1, 6, 3))
    loss = LOSSES["exponential"]
    model = LogisticModel(inputs, -np.ones((1, 6)), Gaussian(1.0), loss=loss, fresh=fresh)
    with np.errstate(over="ignore"):
        found = model.observables((np.full((1, 3), 1e4), np.zeros(1)))
    assert found["gen_loss"] == LARGEST_LOSS
