"""Drawing a matrix of inputs, against NumPy's own normal numbers."""

from collections.abc import Iterator

import numpy as np

from benchmarks.rows import Row, alternate
from linear_grokking.data.streams import fill_normal

SIGMA = 5.0


def rows() -> Iterator[Row]:
    """Compare the ziggurat in array operations with the one that NumPy compiles."""
    yield _drawing(400, 160, repeats=100)
    yield _drawing(2000, 1000, repeats=3)


def _drawing(n: int, d: int, repeats: int) -> Row:
    rng = np.random.Generator(np.random.SFC64(0))
    inputs = np.empty((n, d))

    def ours() -> None:
        for _ in range(repeats):
            fill_normal(rng, inputs, SIGMA)

    def theirs() -> None:
        for _ in range(repeats):
            rng.standard_normal(out=inputs)
            np.multiply(inputs, SIGMA, out=inputs)

    timings = alternate(15, ours=ours, theirs=theirs)
    return Row(
        f"drawing {n}x{d} normal numbers",
        "NumPy's standard_normal, same words",
        timings.ratio("theirs", "ours"),
        target=1.5,
        ours=timings.spread("ours", 1.0 / repeats),
        theirs=timings.spread("theirs", 1.0 / repeats),
    )
