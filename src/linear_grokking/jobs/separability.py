"""The job of Paper B's separability statistics."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from linear_grokking.costs import BATCH_BYTES
from linear_grokking.data import classification
from linear_grokking.jobs.context import Columns, JobContext, Results
from linear_grokking.jobs.laws import input_law
from linear_grokking.separability import Separability, assess

SAVED_TOGETHER = 512
"""Realizations after which a job on a GPU hands over what it has: a kill loses no more."""

Draw = Callable[[int], np.ndarray]


def newton(spec: Mapping[str, Any], realizations: Sequence[int], context: JobContext) -> Results:
    """Yield verdict, certificate, limit direction's statistics and margin of each set.

    On a CPU one set at a time, in cache; on a GPU in batches, drawn on the host meanwhile.
    """
    law = input_law(spec)

    def draw(realization: int) -> np.ndarray:
        return classification(
            law, seed=spec["seed"], realization=realization, n_train=spec["n_train"], d=spec["d"]
        ).inputs

    if context.device == "cpu":
        for realization in realizations:
            yield realization, columns(assess(draw(realization), margin=spec["margin"]))
    else:
        yield from in_batches(
            spec, draw, realizations, device=context.device, threads=context.threads
        )


def in_batches(
    spec: Mapping[str, Any],
    draw: Draw,
    realizations: Sequence[int],
    *,
    device: str,
    threads: int,
) -> Iterator[tuple[int, Columns]]:
    """Yield what `newton` does, computed in batches on any of torch's devices.

    Parameters
    ----------
    draw
        Returns the points (N, d) of a realization; called from ``threads`` threads.
    device
        As torch names it.
    """
    from linear_grokking.separability.batched import LARGEST_BATCH, assess_batched

    n_train, d = spec["n_train"], spec["d"]
    fitting = max(1, int(BATCH_BYTES // (8 * n_train * d)))
    for start in range(0, len(realizations), SAVED_TOGETHER):
        part = realizations[start : start + SAVED_TOGETHER]
        found = assess_batched(
            draw,
            part,
            shape=(n_train, d),
            margin=spec["margin"],
            device=device,
            largest_batch=min(LARGEST_BATCH, fitting),
            drawing_threads=threads,
        )
        for realization, one in zip(part, found, strict=True):
            yield realization, columns(one)


def columns(found: Separability) -> Columns:
    """Return one row of the run's file; null, as NaN, where a number is undefined."""
    numbers = ("s_inf_norm", "positive_fraction", "positive_mean", "margin")
    values = {name: getattr(found, name) for name in numbers}
    return {
        "separable": np.array([found.separable]),
        "certificate": np.array([str(found.certificate)]),
        **{
            name: np.array([np.nan if value is None else value], float)
            for name, value in values.items()
        },
    }
