"""Standard normal numbers in whole-array operations: a ziggurat that compares nothing.

Marsaglia and Tsang (J. Stat. Softw. 5(8), 2000) cover half the density by layers of equal area
and look at each number whether it fell into the part of its layer that sticks out.  Here
rectangles of equal area lie under the density: uniform abscissae in them need no look, and
what they leave, 0.15 % of the area, has shares of its own, drawn by rejection.

Numbers are the same on every machine: inside the rectangles they are products, and beside them
the last bit of an exponential only decides about candidates that lie on the density itself.
(A few in 10⁹, far in the tail, have their last bits from the logarithm of the machine.)
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from linear_grokking.shapes import Float

_SHARES = 2048
"""Equal parts of the area under half the density; a power of two."""
_TOP = 1.0 - 2.0**-9
"""Height at which the rectangles begin, of a density of height 1."""
_CHUNK = 2**14
"""Numbers whose arrays stay in the cache."""


@dataclass(frozen=True)
class _Layers:
    """The area under e^{-x²/2}, x ≥ 0, cut into rectangles and what they leave.

    Attributes
    ----------
    widths : (_SHARES,)
        Of the share's rectangle, times 2⁻⁶³; the first shares are of what is left.
    left_over
        How many these are.
    left, right, bottom, height : (boxes,)
        Rectangles that hold the rest up to `tail`.
    tail
        Where the unbounded part begins.
    chances : (boxes + 1,)
        Cumulative chances of candidates in each box and, last, in the tail.
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
    # The last rectangle would reach below 0: what is above it is a box of the rest.
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

    Ten thousand and more take some 60 % of the time of NumPy's, a handful three times as much.

    Parameters
    ----------
    rng
        Of a bit generator of 64 bits, as all of NumPy's are but MT19937.
    """
    layers = _layers()
    shares = np.empty(min(_CHUNK, out.size), np.intp)
    rest = []
    for start in range(0, out.size, _CHUNK):
        part = out[start : start + _CHUNK]
        share = shares[: part.size]
        words = rng.bit_generator.random_raw(part.size).view(np.int64)
        # The lowest bits choose the share; below them all, a word is uniform to its rounding.
        np.bitwise_and(words, _SHARES - 1, out=share)
        layers.widths.take(share, out=part, mode="wrap")  # the mode that needs no buffer
        part *= words
        rest.append(start + np.flatnonzero(share < layers.left_over))
    left = np.concatenate(rest) if rest else np.empty(0, np.intp)
    if left.size:
        out[left] = np.copysign(_remainder(rng, left.size), out[left])


def _remainder(rng: np.random.Generator, count: int) -> Float[np.ndarray, " count"]:
    """Return positive numbers of the density that the rectangles leave, by rejection."""
    found = np.empty(0)
    while found.size < count:
        # Half of the candidates are taken.
        found = np.append(found, _candidates(rng, 2 * (count - found.size) + 8))
    return found[:count]


def _candidates(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return those of so many candidates that lie under the density."""
    layers = _layers()
    chance, across, up = rng.random((3, count))
    box = np.searchsorted(layers.chances, chance, side="right")
    bounded = np.minimum(box, layers.left.size - 1)
    left = layers.left[bounded]
    x = left + across * (layers.right[bounded] - left)
    taken = layers.bottom[bounded] + up * layers.height[bounded] < np.exp(-0.5 * x**2)
    tail = np.flatnonzero(box > bounded)
    if tail.size:
        # Marsaglia's: exponential beyond the tail's beginning a, kept with chance e^{-(x-a)²/2}.
        beyond, height = rng.standard_exponential((2, tail.size))
        beyond /= layers.tail
        x[tail], taken[tail] = layers.tail + beyond, 2.0 * height > beyond**2
    return x[taken]
