"""A pass over the data gives plain products, whatever the array library and the weighing."""

from functools import partial

import mpmath
import numpy as np
import pytest

from linear_grokking.models.losses import LOSSES, Loss
from linear_grokking.models.passes import make_pass, row_pass
from linear_grokking.models.passes.array_pass import ArrayPass
from linear_grokking.models.passes.row_pass import RowPass
from linear_grokking.models.passes.weighing import LinearWeighing

REALIZATIONS, N, D = 3, 41, 6


class Saturating:
    """A way to weigh that compiled loops do not know."""

    number = None

    def weights(self, xp, outputs, factors):
        return factors * xp.tanh(outputs)


class SquaredHinge:
    """Another; beyond the margin it has no slope."""

    number = None

    def weights(self, xp, outputs, factors):
        return 2 * factors * xp.clip(1.0 + factors * outputs, 0.0, None)

    def log_slope(self, xp, margins):
        return Loss.log_slope(self, xp, margins)

    def slope(self, xp, margins):
        return 2 * xp.clip(1.0 + margins, 0.0, None)


WEIGHINGS = {
    "linear": (LinearWeighing(), lambda o, c: c * o),
    "logistic": (LOSSES["cross_entropy"], lambda o, c: c / (1 + np.exp(-c * o))),
    "exponential": (LOSSES["exponential"], lambda o, c: c * np.exp(c * o)),
    "one of its own": (Saturating(), lambda o, c: c * np.tanh(o)),
}


@pytest.fixture(params=list(WEIGHINGS.values()), ids=list(WEIGHINGS))
def weighing(request):
    return request.param


def draw(dtype=np.float64):
    rng = np.random.default_rng(2)
    inputs = rng.standard_normal((REALIZATIONS, N, D)).astype(dtype)
    factors = rng.choice([-1.0, 1.0], (REALIZATIONS, N))
    return (
        inputs,
        rng.standard_normal((REALIZATIONS, D)),
        rng.standard_normal(REALIZATIONS),
        factors,
    )


def plain(inputs, vectors, offsets, weights_of, factors):
    inputs = inputs.astype(float)
    outputs = np.einsum("rnd,rd->rn", inputs, vectors) + offsets[:, None]
    weights = weights_of(outputs, factors)
    return outputs, np.einsum("rnd,rn->rd", inputs, weights), weights.sum(axis=-1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("library", ["numpy", "numpy in ranges", "torch"])
def test_products_are_the_plain_ones(monkeypatch, weighing, dtype, library):
    way, weights_of = weighing
    arrays = draw(dtype)
    if library == "numpy in ranges":
        monkeypatch.setattr(row_pass, "_RANGE_BYTES", 13 * D * arrays[0].itemsize)
    inputs, vectors, offsets, factors = arrays
    if library == "torch":
        torch = pytest.importorskip("torch")
        inputs, vectors, offsets, factors = map(torch.from_numpy, arrays)
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    found = make_pass(inputs)(vectors, offsets, way, factors)
    expected = plain(*arrays[:3], weights_of, arrays[3])
    for one, other in zip(found, expected, strict=True):
        one = np.asarray(one)
        assert one.dtype == np.float64
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def test_outputs_of_many_vectors_are_those_of_each():
    inputs, vectors, _, _ = draw()
    many = np.stack([vectors, 2.0 * vectors, vectors[::-1]])
    found = make_pass(inputs).outputs(many)
    np.testing.assert_allclose(found, np.einsum("rnd,krd->krn", inputs, many), rtol=1e-13)


def test_each_library_gets_its_pass():
    torch = pytest.importorskip("torch")
    inputs, *_ = draw()
    assert type(make_pass(inputs)) is RowPass
    assert type(make_pass(torch.from_numpy(inputs))) is ArrayPass


def test_stretches_are_for_small_sets_and_known_ways(monkeypatch, weighing):
    torch = pytest.importorskip("torch")
    way, _ = weighing
    inputs, _, _, signs = draw()
    options = {"bias": True, "decays": (0.0, 0.1)}
    found = make_pass(inputs).stretches(way, signs, **options)
    assert (found is None) == (way.number is None)
    tensors = torch.from_numpy(inputs), torch.from_numpy(signs)
    assert make_pass(tensors[0]).stretches(way, tensors[1], **options) is None
    monkeypatch.setattr(row_pass, "_RANGE_BYTES", 13 * D * 8)
    assert make_pass(inputs).stretches(way, signs, **options) is None


@pytest.mark.parametrize("loss", ["cross_entropy", "exponential"])
@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("offset", [0.0, -100.0, -700.0, -1e4])
def test_scaled_products_are_the_plain_ones_in_a_unit(loss, library, offset):
    """However far below what numbers resolve: the weights' logarithms by mpmath."""
    inputs, vectors, offsets, factors = draw()
    inputs, vectors = factors[..., None] * inputs, 3 * vectors  # all labels alike
    factors, offsets = np.ones_like(factors), offsets + offset
    arrays = (inputs, vectors, offsets, factors)
    if library == "torch":
        torch = pytest.importorskip("torch")
        arrays = tuple(torch.from_numpy(array) for array in arrays)
    pull_back, totals, scale = make_pass(arrays[0]).scaled(*arrays[1:3], LOSSES[loss], arrays[3])
    outputs = np.einsum("rnd,rd->rn", inputs, vectors) + offsets[:, None]
    for k in range(REALIZATIONS):
        slopes = [mpmath.exp(o) for o in outputs[k]]
        if loss == "cross_entropy":
            slopes = [each / (1 + each) for each in slopes]
        largest = max(slopes)
        assert float(scale[k]) == pytest.approx(float(mpmath.log(largest)), rel=1e-12, abs=1e-13)
        weights = np.array([float(each / largest) for each in slopes])
        np.testing.assert_allclose(pull_back[k], weights @ inputs[k], rtol=1e-8, atol=1e-10)
        assert float(totals[k]) == pytest.approx(weights.sum(), rel=1e-9)


def test_scaled_products_of_weights_that_are_zero():
    inputs, vectors, _, _ = draw()
    factors = np.where(np.einsum("rnd,rd->rn", inputs, vectors) < 0, 1.0, -1.0)
    one = make_pass(inputs)
    assert not np.any(one.scaled(1e9 * vectors, np.zeros(3), SquaredHinge(), factors)[0])
    weights_of = partial(SquaredHinge().weights, np)
    _, expected, totals = plain(inputs, vectors, 0.0 * vectors[:, 0], weights_of, factors)
    pull_back, total, scale = one.scaled(vectors, np.zeros(3), SquaredHinge(), factors)
    np.testing.assert_allclose(np.exp(scale)[:, None] * pull_back, expected, rtol=1e-12)
    np.testing.assert_allclose(np.exp(scale) * total, totals, rtol=1e-12)
