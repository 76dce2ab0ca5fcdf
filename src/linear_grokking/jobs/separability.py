"""The job of Paper B's separability statistics."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from linear_grokking.data.draws import classification
from linear_grokking.data.laws import InputLaw
from linear_grokking.runtime.context import JobContext, Results
from linear_grokking.shapes import Columns
from linear_grokking.solvers.separability import Separability, assess


def newton(
    spec: Mapping[str, Any], realizations: Sequence[int], context: JobContext, *, law: InputLaw
) -> Results:
    """Yield verdict, certificate, statistics of the limit direction, and margins of each set.

    A CPU takes one set at a time, in cache; a GPU takes batches, while the host draws the next.
    """

    def draw(realization: int) -> np.ndarray:
        return classification(
            law, seed=spec["seed"], realization=realization, n_train=spec["n_train"], d=spec["d"]
        ).inputs

    # A spec without box_margin asks for none.
    wanted = {"margin": spec["margin"], "box": spec.get("box_margin", False)}
    if context.device == "cpu":
        found = ((k, assess(draw(k), **wanted)) for k in realizations)
    else:
        from linear_grokking.solvers.separability.batched import assess_batched

        found = assess_batched(
            draw,
            realizations,
            shape=(spec["n_train"], spec["d"]),
            **wanted,
            batches=context.batches(),
            drawing_threads=context.threads,
        )
    for realization, separability in found:
        yield realization, columns(separability)


def columns(found: Separability) -> Columns:
    """Return one row of the run's file; NaN, for null, where a number is undefined."""
    numbers = ("s_inf_norm", "positive_fraction", "positive_mean", "margin")
    numbers += ("box_margin", "box_norm")
    values = {name: getattr(found, name) for name in numbers}
    return {
        "separable": np.array([found.separable]),
        "certificate": np.array([found.certificate]),
        **{
            name: np.array([np.nan if value is None else value], float)
            for name, value in values.items()
        },
    }
