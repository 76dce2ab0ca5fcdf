"""Standard normal numbers by whole-array operations: a ziggurat method without comparisons.

Marsaglia and Tsang (J. Stat. Softw. 5(8), 2000) cover half the density with layers of equal
area, and test for each number whether it fell into the part of its layer outside the density.
Here rectangles of equal area lie under the density, so a uniform abscissa in one of them needs
no test.  The rest, 0.15 % of the area, has shares of its own and is sampled by rejection.

Numbers are the same on every machine: inside the rectangles they are products, and outside of
them the last bit of an exponential only matters for candidates that lie on the density itself.
(For a few in 10⁹, far in the tail, the last bits depend on the machine's logarithm.)
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from linear_grokking.shapes import Float

_SHARES = 2048
"""Number of equal shares of the area under half the density; a power of two."""
_TOP = 1.0 - 2.0**-9
"""Top of the highest rectangle, relative to the maximum of the density."""
_CHUNK = 2**14
"""How many numbers are drawn at once, so that their arrays stay in the cache."""


@dataclass(frozen=True)
class _Layers:
    """The area under e^{-x²/2}, x ≥ 0, cut into rectangles and a remainder.

    Attributes
    ----------
    widths : (_SHARES,)
        Width of the share's rectangle, times 2⁻⁶³; the first shares belong to the remainder.
    left_over
        Number of shares of the remainder.
    left, right, bottom, height : (boxes,)
        Boxes that contain the remainder up to `tail`.
    tail
        Where the unbounded part begins.
    chances : (boxes + 1,)
        Cumulative probabilities of a candidate in each box and, last, in the tail.
    """

    widths: Float[np.ndarray, " shares"]
    left_over: int
    left: Float[np.ndarray, " boxes"]
    right: Float[np.ndarray, " boxes"]
    bottom: Float[np.ndarray, " boxes"]
    height: Float[np.ndarray, " boxes"]
    tail: float
    chances: Float[np.ndarray, " pieces"]


@cache
def _layers() -> _Layers:
    """Return the layers, from the top downwards: a rectangle is as wide as the density at its top.

    Widths are rounded so coarsely, rectangles inwards and boxes outwards, that the last bits
    of a logarithm do not matter.
    """
    area = math.sqrt(math.pi / 2.0) / _SHARES
    tops, inside, outside = [_TOP], [], []
    while tops[-1] > 0.0:
        width = 2.0**32 * math.sqrt(-2.0 * math.log(tops[-1]))
        inside.append(math.floor(width) / 2.0**32)
        outside.append(math.ceil(width) / 2.0**32)
        tops.append(tops[-1] - area / inside[-1])
    # The last rectangle would reach below 0: its whole layer is a box of the remainder.
    edges = np.array([1.0, *tops[:-1], 0.0])
    left = np.array([0.0, *inside[:-1], 0.0])
    right = np.array([*outside, outside[-1]])
    height, tail = edges[:-1] - edges[1:], outside[-1]
    areas = np.append((right - left) * height, math.exp(-(tail**2) / 2.0) / tail)
    left_over = _SHARES - len(inside) + 1
    widths = np.array([1.0] * left_over + inside[:-1]) * 2.0**-63
    chances = np.cumsum(areas) / np.sum(areas)
    return _Layers(widths, left_over, left, right, edges[1:], height, tail, chances)


def fill_standard_normal(rng: np.random.Generator, out: Float[np.ndarray, " count"]) -> None:
    """Fill ``out`` (float64) with independent standard normal numbers.

    Ten thousand numbers or more take some 60 % of NumPy's time, a handful three times as long.

    Parameters
    ----------
    rng
        With a bit generator of 64 bits, as all of NumPy's are except MT19937.
    """
    layers = _layers()
    shares = np.empty(min(_CHUNK, out.size), np.intp)
    rest = []
    for start in range(0, out.size, _CHUNK):
        part = out[start : start + _CHUNK]
        share = shares[: part.size]
        words = rng.bit_generator.random_raw(part.size).view(np.int64)
        # The lowest bits choose the share: given them, a word is still uniform to its rounding.
        np.bitwise_and(words, _SHARES - 1, out=share)
        layers.widths.take(share, out=part, mode="wrap")  # the mode that needs no buffer
        part *= words
        rest.append(start + np.flatnonzero(share < layers.left_over))
    left = np.concatenate(rest) if rest else np.empty(0, np.intp)
    if left.size:
        out[left] = np.copysign(_remainder(rng, left.size), out[left])


def _remainder(rng: np.random.Generator, count: int) -> Float[np.ndarray, " count"]:
    """Return positive numbers from the remainder of the density, by rejection."""
    found = np.empty(0)
    while found.size < count:
        # Half of the candidates are accepted.
        found = np.append(found, _candidates(rng, 2 * (count - found.size) + 8))
    return found[:count]


def _candidates(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw ``count`` candidates, and return those that lie under the density."""
    layers = _layers()
    chance, across, up = rng.random((3, count))
    box = np.searchsorted(layers.chances, chance, side="right")
    bounded = np.minimum(box, layers.left.size - 1)
    left = layers.left[bounded]
    x = left + across * (layers.right[bounded] - left)
    taken = layers.bottom[bounded] + up * layers.height[bounded] < np.exp(-0.5 * x**2)
    tail = np.flatnonzero(box > bounded)
    if tail.size:
        # Marsaglia's tail: exponential beyond its beginning a, kept with chance e^{-(x-a)²/2}.
        beyond, height = rng.standard_exponential((2, tail.size))
        beyond /= layers.tail
        x[tail], taken[tail] = layers.tail + beyond, 2.0 * height > beyond**2
    return x[taken]
