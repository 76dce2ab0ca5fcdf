"""The job of the law of grokking times: exact draws from spectra, without data matrices."""

from collections.abc import Iterator, Sequence

import numpy as np

from linear_grokking.data.bidiagonal import BidiagonalData
from linear_grokking.data.bidiagonal import bidiagonal as draw
from linear_grokking.results.identity import Spec
from linear_grokking.runtime.context import JobContext, Results
from linear_grokking.shapes import Columns
from linear_grokking.solvers.bidiagonal import decay_rates, first_times, singular_values
from linear_grokking.theory.linear import loss_threshold

_TOGETHER = 2**16
"""Eigenvalues of the realizations whose times are found together; they should stay in cache."""


def bidiagonal(spec: Spec, realizations: Sequence[int], context: JobContext) -> Results:
    """Yield when each realization's exact losses correspond to the accuracy to be reached.

    There is one output: at loss L, fresh samples are right with probability erf √(ε/2L).
    """
    size = max(1, _TOGETHER // min(spec["n_train"], spec["d_in"]))
    sizes = {key: spec[key] for key in ("seed", "n_train", "d_in")}
    for start in range(0, len(realizations), size):
        batch = realizations[start : start + size]
        yield from zip(batch, _times(spec, draw(realizations=batch, **sizes)), strict=True)


def _times(spec: Spec, drawn: BidiagonalData) -> Iterator[Columns]:
    """Yield the columns of each realization of a batch."""
    eigenvalues = singular_values(drawn.diagonal, drawn.off_diagonal) ** 2 / spec["n_train"]
    squares, null = drawn.squares, drawn.null_squares
    rates = decay_rates(eigenvalues, spec["eta"])
    target = float(loss_threshold(spec["epsilon"], accuracy=spec["accuracy"]))
    columns = {
        "t_train": first_times(eigenvalues * squares, rates, np.zeros_like(null), target),
        "t_gen": first_times(squares, rates, null, target),
        "smallest_eigenvalue": eigenvalues[:, -1],
    }
    for k in range(len(null)):
        yield {name: values[k : k + 1] for name, values in columns.items()}
