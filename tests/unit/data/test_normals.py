"""Normal numbers by rectangles and what they leave, against the normal law itself.

Statistical tests use fixed seeds and reject a true hypothesis with the probability stated.
"""

from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import log_ndtr, ndtr
from scipy.stats import binomtest, kstest

from linear_grokking.data import normals
from linear_grokking.data.normals import fill_standard_normal

MANY = 4 * 10**6
LAYERS = normals._layers()
TAIL = 4.476312785875052


def rng(seed=1):
    return np.random.Generator(np.random.SFC64(seed))


def standard_normal(rng, count):
    out = np.empty(count)
    fill_standard_normal(rng, out)
    return out


@pytest.fixture(scope="module")
def drawn():
    return standard_normal(rng(), MANY)


def density(x):
    return np.exp(-(x**2) / 2)


def exact_widths():
    """Yield the widths of the rectangles, of heights that are taken to 50 digits."""
    with mpmath.workdps(50):
        top, area = 1 - mpmath.mpf(2) ** -9, mpmath.sqrt(mpmath.pi / 2) / 2048
        while True:
            width = mpmath.floor(2**32 * mpmath.sqrt(-2 * mpmath.log(top))) / 2**32
            top -= area / width
            if top < 0:
                return
            yield float(width)


def test_rectangles_are_those_of_exact_arithmetic():
    widths = list(exact_widths())
    assert LAYERS.left_over == 2048 - len(widths) == 3
    np.testing.assert_array_equal(LAYERS.widths[3:] * 2.0**63, widths)
    assert LAYERS.tail == TAIL


def test_rectangles_lie_under_the_density_and_boxes_hold_the_rest():
    tops = np.append(LAYERS.bottom + LAYERS.height, 0.0)
    assert tops[0] == 1.0
    np.testing.assert_allclose(LAYERS.bottom, tops[1:], rtol=0, atol=1e-16)
    widths = LAYERS.widths[LAYERS.left_over :] * 2.0**63
    assert np.all(density(widths) >= tops[1:-2])  # at their upper edges
    assert np.all(density(LAYERS.right[:-1]) <= LAYERS.bottom[:-1])
    np.testing.assert_array_equal(LAYERS.left[1:-1], widths)
    assert LAYERS.right[-1] == LAYERS.tail


def test_shares_have_the_areas_that_they_stand_for():
    share = np.sqrt(np.pi / 2) / 2048
    widths = LAYERS.widths[LAYERS.left_over :] * 2.0**63
    np.testing.assert_allclose(widths * LAYERS.height[1:-1], share, rtol=1e-11)

    def beside(left, right, bottom):
        """Return the area under the density in a box."""
        end = min(right, np.sqrt(-2 * np.log(bottom))) if bottom > 0 else right
        area = integrate.quad(density, left, end)[0]
        return area - (end - left) * bottom

    # Under the density from the rectangles to where it leaves each box.
    rest = 0.0
    for left, right, bottom, height in zip(
        LAYERS.left, LAYERS.right, LAYERS.bottom, LAYERS.height, strict=True
    ):
        inner = np.sqrt(-2 * np.log(min(1.0, bottom + height)))
        rest += max(0.0, inner - left) * height + beside(max(inner, left), right, bottom)
    rest += np.sqrt(2 * np.pi) * stats.norm.sf(LAYERS.tail)
    assert rest == pytest.approx(LAYERS.left_over * share, rel=1e-8)


def test_numbers_are_the_words_times_widths():
    # Independently of the arrays; words that choose what is left are elsewhere.
    widths = dict(enumerate(exact_widths(), start=3))
    words = [int(word) for word in rng().bit_generator.random_raw(1000)]
    found = standard_normal(rng(), 1000)
    for word, number in zip(words, found, strict=True):
        signed = word - 2**64 if word >= 2**63 else word
        if word % 2048 >= 3:
            assert number == widths[word % 2048] * float(signed) / 2.0**63


def test_the_stream_is_pinned():
    found = standard_normal(rng(), 10**5)
    assert found[:3].tolist() == [-0.010209388384774832, 0.47526906323113494, 1.6573604290689992]
    of_the_rest = np.flatnonzero(rng().bit_generator.random_raw(10**5) % 2048 < 3)
    rest = found[of_the_rest[:3]].tolist()
    assert rest == [-1.899633637590929, 2.611626995973351, -2.120543492994218]


def test_numbers_are_normal(drawn):
    # False alarm 1e-4 each.
    counts = np.histogram(stats.norm.cdf(drawn), bins=500, range=(0.0, 1.0))[0]
    assert stats.chisquare(counts).pvalue > 1e-4
    assert stats.kstest(drawn[: 10**5], "norm").pvalue > 1e-4


@pytest.mark.parametrize("order", range(1, 9))
def test_moments_are_those_of_the_law(drawn, order):
    # False alarm 1e-4.
    expected = stats.norm.moment(order)
    deviation = np.sqrt((stats.norm.moment(2 * order) - expected**2) / MANY)
    assert abs(np.mean(drawn**order) - expected) < stats.norm.isf(0.5e-4) * deviation


def test_tails_are_those_of_the_law():
    # False alarm 1e-4 each.
    count = 2 * 10**7
    sizes = np.abs(standard_normal(rng(2), count))
    for bound in (3.0, 4.0, TAIL, 4.75, 5.0):
        chance = 2 * stats.norm.sf(bound)
        assert stats.binomtest(int(np.sum(sizes > bound)), count, chance).pvalue > 1e-4
    beyond = sizes[sizes > TAIL]
    assert stats.kstest(stats.norm.sf(beyond) / stats.norm.sf(TAIL), "uniform").pvalue > 1e-4


def test_what_is_left_has_the_density_that_is_left():
    # By the law of all, less the rectangles; false alarm 1e-4.
    count, share = 10**6, np.sqrt(np.pi / 2) / 2048
    found = normals._remainder(rng(3), count)
    edges = np.linspace(0.0, 4.5, 91)
    widths = LAYERS.widths[LAYERS.left_over :] * 2.0**63
    under = np.sqrt(np.pi / 2) * (2 * stats.norm.cdf(edges) - 1)
    covered = share * np.minimum(1.0, edges[:, np.newaxis] / widths).sum(axis=1)
    left = (under - covered) / (LAYERS.left_over * share)
    chances = np.append(np.diff(left), 1.0 - left[-1])
    counts = np.histogram(found, bins=[*edges, np.inf])[0]
    assert stats.chisquare(counts, chances / chances.sum() * count).pvalue > 1e-4


@pytest.mark.parametrize("lag", [1, 2, 2**14])
@pytest.mark.parametrize("of", [lambda x: x, lambda x: x**2, np.sign, lambda x: np.abs(x) > 2.0])
def test_numbers_are_independent_of_earlier_ones(drawn, of, lag):
    # False alarm 1e-4.
    values = of(drawn).astype(float)
    correlation = np.corrcoef(values[:-lag], values[lag:])[0, 1]
    assert abs(correlation) * np.sqrt(MANY) < stats.norm.isf(0.5e-4)


def test_signs_and_sizes_are_independent(drawn):
    # False alarm 1e-4.
    correlation = np.corrcoef(np.sign(drawn), np.abs(drawn))[0, 1]
    assert abs(correlation) * np.sqrt(MANY) < stats.norm.isf(0.5e-4)


@pytest.mark.parametrize("count", [0, 1, 2**14 + 1])
def test_all_are_filled(count):
    found = np.full(count, np.nan)
    fill_standard_normal(rng(), found)
    assert not np.isnan(found).any()


def test_extreme_words_give_numbers_of_their_rectangles():
    high = [
        0,
        1,
        2**52 - 1,
        2**52,
        2**53 - 1,
    ]  # above the share's 11 bits; the sign's is the highest
    words = [2048 * each + share for each in high for share in (3, 1000, 2047)]
    given = np.array(words, np.uint64)
    fixed = SimpleNamespace(bit_generator=SimpleNamespace(random_raw=lambda size: given[:size]))
    found = standard_normal(fixed, len(words))
    widths = LAYERS.widths[given.astype(int) % 2048] * 2.0**63
    assert np.all(np.abs(found) <= widths)
    assert found[:3].tolist() == pytest.approx([0.0] * 3, abs=1e-14)
    np.testing.assert_allclose(found[6:9], widths[6:9], rtol=1e-15)
    np.testing.assert_array_equal(found[9:12] < 0, True)


def test_numbers_far_in_the_tail_have_its_law_and_its_share():
    layers = normals._layers()
    rng = np.random.Generator(np.random.SFC64(1))
    found = normals._remainder(rng, 400_000)
    far = found[found > layers.tail]
    share = 2.0 * ndtr(-layers.tail) * normals._SHARES / layers.left_over
    assert binomtest(len(far), len(found), share).pvalue > 1e-4
    # P(x > X | x > tail) is uniform.
    assert kstest(np.exp(log_ndtr(-far) - log_ndtr(-layers.tail)), "uniform").pvalue > 1e-4
