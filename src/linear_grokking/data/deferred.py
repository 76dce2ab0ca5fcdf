"""Training sets whose inputs are drawn only as far as they are needed: no N × d matrix.

Training uses X only through products: outputs Xv, and pull-backs Xᵀw of weights w on the
samples.  If the inputs are Gaussian, and isotropic across their first axis, each product can be
drawn when it is needed, conditioned on all that was drawn before.  The law of the products is
then exact at every N and d (deferred decisions; Lu, IEEE Trans. Inf. Theory 67 (2021) 8264;
derived in docs/theory.md).  K directions take 2NK numbers, and a product 2NK or 4NK
multiplications.

Vectors are given in coordinates of the set's own: the first is along the inputs' first axis, and
each new direction gets the next one.  What is drawn depends on the products asked for and on
their order: sets of the same seed agree only between runs that ask for the same products.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from linear_grokking.data.draws import random_labels
from linear_grokking.data.input_law import InputLaw
from linear_grokking.data.streams import generator
from linear_grokking.errors import LinearGrokkingError
from linear_grokking.shapes import Float

MOST_DIRECTIONS = 4096
"""Largest number of coordinates of a vector, where a set has more dimensions than this."""

NEGLIGIBLE = 1e-6
"""Relative size up to which the part of w outside the span of earlier weights is neglected.

Late weights differ little from earlier ones, so this halves the number of directions of a run.
ln t₉₅ changes by 2e-6, less than by the tolerance of the flow, 1e-4.
"""

_ROWS = 8
"""Rows per block of memory: a growing basis adds blocks, and does not move its earlier rows.

A block is small enough to be still in the cache when it is read a second time.
"""

_Stream = Callable[[str], np.random.Generator]


class TooManyDirectionsError(LinearGrokkingError):
    """A run asks for more directions than a set has coordinates for."""


class Rows:
    """Rows of N numbers each, in memory that grows with them."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._blocks: list[np.ndarray] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, row: Float[np.ndarray, " N"]) -> None:
        """Add a row."""
        if self._count == _ROWS * len(self._blocks):
            self._blocks.append(np.empty((_ROWS, self._n)))
        self._blocks[-1][self._count % _ROWS] = row
        self._count += 1

    def blocks(self) -> Iterator[Float[np.ndarray, "rows N"]]:
        """Yield the rows block by block."""
        for k, block in enumerate(self._blocks):
            yield block[: self._count - k * _ROWS]

    def dot(self, vector: Float[np.ndarray, " N"]) -> Float[np.ndarray, " k"]:
        """Return the products of all k rows with a vector."""
        return np.concatenate([np.zeros(0), *(rows @ vector for rows in self.blocks())])

    def beyond(self, vector: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        """Return the part of a vector that is orthogonal to all rows, which are orthonormal."""
        rest = vector.copy()
        for rows in self.blocks():
            rest -= (rows @ rest) @ rows
        return rest

    def combine(self, factors: Float[np.ndarray, "*S k"]) -> Float[np.ndarray, "*S N"]:
        """Return linear combinations of the k rows with the given factors."""
        total = np.zeros((*factors.shape[:-1], self._n))
        start = 0
        for rows in self.blocks():
            total += factors[..., start : start + len(rows)] @ rows
            start += len(rows)
        return total


class DeferredSet:
    """The inputs of one realization.

    Parameters
    ----------
    law
        Law of the inputs; isotropic across the first axis (`InputLaw.isotropic_across`).
    stream
        Returns the random generator of a purpose.

    Attributes
    ----------
    n, d
        Samples, and dimensions.
    width
        Coordinates of a vector: d, or `MOST_DIRECTIONS`.
    directions : Rows
        Xq for each direction q that is known, the first axis first: k rows of N.
    asked : Rows
        Orthonormal weights u whose pull-backs Xᵀu are known: rows of N.
    """

    def __init__(self, law: InputLaw, *, n: int, d: int, stream: _Stream) -> None:
        if not law.isotropic_across:
            raise ValueError(f"law = {law.name}: is not isotropic across its first axis")
        self.n, self.d = n, d
        self.width = min(d, MOST_DIRECTIONS)
        self._sigma = law.sigma
        self._stream = stream
        self.directions, self.asked = Rows(n), Rows(n)
        axis = np.empty((n, 1))
        law.draw(stream("axis"), axis)
        self.directions.append(axis[:, 0])

    def input_size(self) -> float:
        """Return the root mean square of the inputs' entries."""
        axis = next(self.directions.blocks())[0]
        return float(np.sqrt((np.mean(axis**2) + (self.d - 1) * self._sigma**2) / self.d))

    def isotropic(self, rng: np.random.Generator) -> Float[np.ndarray, " width"]:
        """Return coordinates of a vector of d standard normal numbers.

        Its part outside the known directions has a random direction, which gets a new coordinate.
        """
        known = len(self.directions)
        vector = np.zeros(self.width)
        vector[:known] = rng.standard_normal(known)
        if known < self.d:
            self._require(known)
            vector[known] = np.sqrt(rng.chisquare(self.d - known))
        return vector

    def outputs(self, vectors: Float[np.ndarray, "*S width"]) -> Float[np.ndarray, "*S N"]:
        """Return Xv (..., N); directions that v needs and that are not known yet are drawn."""
        if not np.isfinite(vectors).all():
            return np.full((*vectors.shape[:-1], self.n), np.nan)
        used = np.flatnonzero(np.any(vectors.reshape(-1, self.width), axis=0))
        for _ in range(len(self.directions), used[-1] + 1 if used.size else 0):
            self._meet()
        return self.directions.combine(vectors[..., : len(self.directions)])

    def pull_back(self, weights: Float[np.ndarray, " N"]) -> Float[np.ndarray, " width"]:
        """Return Xᵀw (width,)."""
        if len(self.directions) < self.d:
            rest = self.asked.beyond(weights)
            if np.linalg.norm(rest) > NEGLIGIBLE * np.linalg.norm(weights):
                rest = self.asked.beyond(rest)  # the first pass leaves rounding errors of w
                self._meet(rest / np.linalg.norm(rest))
        pulled = np.zeros(self.width)
        pulled[: len(self.directions)] = self.directions.dot(weights)
        return pulled

    def _meet(self, asked: Float[np.ndarray, " N"] | None = None) -> None:
        """Draw Xq for one more direction q: any, or that of the still unknown part of Xᵀu.

        Parameters
        ----------
        asked : (N,)
            u, a unit vector orthogonal to all that were asked before.
        """
        known = len(self.directions)
        self._require(known)
        rng = self._stream(f"direction {known}")
        normal = rng.standard_normal(self.n)
        if asked is not None:
            self.asked.append(asked)
        drawn = self.asked.beyond(normal)
        if asked is not None:
            drawn += np.sqrt(rng.chisquare(self.d - known)) * asked
        self.directions.append(self._sigma * drawn)

    def state(self) -> dict[str, np.ndarray]:
        """Return what `restore` needs: all that was drawn."""
        bases = {"directions": self.directions, "asked": self.asked}
        return {
            f"{name} {k}": rows
            for name, basis in bases.items()
            for k, rows in enumerate(basis.blocks())
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        self.directions, self.asked = Rows(self.n), Rows(self.n)
        for name, rows in state.items():
            basis = self.directions if name.startswith("directions") else self.asked
            for row in rows:
                basis.append(row)

    def _require(self, coordinate: int) -> None:
        if coordinate >= self.width:
            raise TooManyDirectionsError(
                f"data = deferred: the run asks for more than {self.width} directions of "
                f"{self.d}; take data: matrix, or fewer steps"
            )


@dataclass(frozen=True)
class DeferredData:
    """One realization of Paper B's classification problem without a matrix.

    Attributes
    ----------
    inputs
    labels : (n_train,) of ±1
    weights : (width,)
        S₀ in the inputs' coordinates, of random direction and given norm.
    """

    inputs: DeferredSet
    labels: Float[np.ndarray, " N"]
    weights: Float[np.ndarray, " width"]


def deferred_classification(
    law: InputLaw,
    *,
    seed: int,
    realization: int,
    n_train: int,
    d: int,
    s0_norm: float = 0.0,
    label_fraction: float = 1.0,
) -> DeferredData:
    """Return a training set and an initial direction (Paper B, Sec. 3.1).

    See `draws.classification`; the labels are the same as there.
    """
    sizes = {**law.key(), "n_train": n_train, "d": d}

    def stream(purpose: str) -> np.random.Generator:
        return generator(seed, sizes, realization, f"deferred {purpose}")

    inputs = DeferredSet(law, n=n_train, d=d, stream=stream)
    weights = inputs.isotropic(stream("initial weights"))
    weights *= s0_norm / np.linalg.norm(weights)
    labels = random_labels(generator(seed, sizes, realization, "labels"), n_train, label_fraction)
    return DeferredData(inputs, labels, weights)
