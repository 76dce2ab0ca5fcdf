"""One stream of random numbers per (seed, law and sizes of the data, realization).

A stream depends on nothing else: not on the solver, the learning rate, the loss, the
block a realization is computed in, the order, the device or the machine.  Runs that
differ only in those are therefore paired realization by realization.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from linear_grokking.data.normals import fill_standard_normal

_GROUP = 2**18
"""Numbers that are drawn at a time, to bound memory; changing it changes all streams."""


def generator(
    seed: int, law: Mapping[str, object], realization: int, purpose: str
) -> np.random.Generator:
    """Return the generator of one random object of one realization.

    Parameters
    ----------
    seed
        The experiment's seed, a non-negative integer.
    law
        Name, parameters and sizes of the law that the object is drawn from, as plain
        numbers and strings.  Key order is irrelevant.
    realization
        Index of the realization, starting at 0.
    purpose
        What is drawn (``"inputs"``, ``"teacher"``, …).  Each purpose has a stream of its
        own, so that drawing more of one object never shifts another.
    """
    return next(generators(seed, law, [realization], purpose))


def generators(
    seed: int, law: Mapping[str, object], realizations: Iterable[int], purpose: str
) -> Iterator[np.random.Generator]:
    """Yield the `generator` of each realization; much faster than one call for each."""
    text = json.dumps([dict(law), purpose], sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).digest()
    words = np.frombuffer(digest[:16], dtype="<u4").tolist()
    for realization in realizations:
        sequence = np.random.SeedSequence(entropy=seed, spawn_key=(*words, realization))
        yield np.random.Generator(np.random.SFC64(sequence))


def fill_normal(
    rng: np.random.Generator, out: np.ndarray, scale: float | np.ndarray = 1.0
) -> np.ndarray:
    """Fill ``out`` with centred normal numbers of standard deviation ``scale``; return it.

    ``scale`` is a number, or one per column.

    The numbers are drawn in float64 whatever the dtype of ``out``, so a float32 array
    holds the rounded values of the float64 one.
    """
    there = out.dtype == np.float64 and out.flags.c_contiguous
    rounded_from = np.empty(0) if there else np.empty_like(out[: _rows(out)], float, "C")
    for part in _groups(out):
        drawn = part if there else rounded_from[: len(part)]
        fill_standard_normal(rng, drawn.reshape(-1))
        np.multiply(drawn, scale, out=part, casting="same_kind")
    return out


def fill(
    draw: Callable[[tuple[int, ...]], np.ndarray],
    out: np.ndarray,
    scale: float | np.ndarray = 1.0,
) -> None:
    """Fill ``out`` with what ``draw`` returns for groups of its rows, times ``scale``.

    See `fill_normal`.
    """
    for part in _groups(out):
        np.multiply(draw(part.shape), scale, out=part, casting="same_kind")


def _groups(out: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the rows of an array in groups."""
    rows = _rows(out)
    for start in range(0, len(out), rows):
        yield out[start : start + rows]


def _rows(out: np.ndarray) -> int:
    return max(1, _GROUP // max(1, math.prod(out.shape[1:])))
