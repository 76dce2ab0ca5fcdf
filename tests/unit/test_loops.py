"""The plain PyTorch loops of docs/loops land on the formulas beside which they print."""

import contextlib
import functools
import io
import runpy
from pathlib import Path

import numpy as np
import pytest

LOOPS = Path(__file__).parents[2] / "docs" / "loops"


@functools.cache
def printed(name):
    """Return the numbers that a loop prints, a row for each step."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        runpy.run_path(str(LOOPS / f"{name}.py"), run_name="__main__")
    _, *lines = said.getvalue().splitlines()
    return np.array([[float(cell) for cell in line.split()] for line in lines])


def test_every_loop_is_tested():
    assert {path.stem for path in LOOPS.glob("*.py")} == {"momentum", "grokfast", "mini_batches"}


@pytest.mark.parametrize("name", ["momentum", "mini_batches"])
def test_losses_are_those_of_the_formulas(name):
    _, train, train_formula, gen, gen_formula = printed(name).T
    np.testing.assert_allclose(train[:10], train_formula[:10], rtol=0.2)
    np.testing.assert_allclose(gen[:10], gen_formula[:10], rtol=0.2)


def test_momentum_generalizes_before_it_trains():
    _, train, _, gen, _ = printed("momentum")[1:].T
    assert np.all(gen < train)


def test_grokfast_is_a_larger_learning_rate():
    _, amplified, larger, plain = printed("grokfast").T
    np.testing.assert_allclose(amplified, larger, rtol=0.25)
    assert np.all(amplified < 0.3 * plain)
