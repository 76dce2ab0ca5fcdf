"""Streams depend on seed, law, realization and purpose, and on nothing else.

Statistical tests use fixed seeds and reject a true hypothesis with the probability stated.
"""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from linear_grokking.data.normals import fill_standard_normal
from linear_grokking.data.streams import fill_normal, generator, generators

LAW = {"law": "gaussian", "n_train": 40, "d": 7}


def draw(seed=1, law=LAW, realization=0, purpose="inputs", size=1000):
    return generator(seed, law, realization, purpose).standard_normal(size)


def test_same_arguments_give_the_same_bits_in_any_order():
    first = {r: draw(realization=r) for r in range(20)}
    again = {r: draw(realization=r) for r in reversed(range(20))}
    for realization in first:
        np.testing.assert_array_equal(first[realization], again[realization])


def test_streams_of_many_realizations_are_those_of_each():
    many = [each.standard_normal(5) for each in generators(1, LAW, range(4), "inputs")]
    for realization, numbers in enumerate(many):
        np.testing.assert_array_equal(numbers, draw(realization=realization, size=5))


def test_key_order_of_the_law_is_irrelevant():
    np.testing.assert_array_equal(draw(), draw(law=dict(reversed(LAW.items()))))


def test_other_processes_draw_the_same_bits():
    program = (
        "from linear_grokking.data.streams import generator;"
        f"print(generator(1, {LAW!r}, 3, 'inputs').standard_normal(5).tobytes().hex())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    assert outputs == {draw(realization=3, size=5).tobytes().hex()}


def test_every_argument_matters():
    variants = [
        {},
        {"seed": 2},
        {"seed": 2**40},
        {"realization": 1},
        {"realization": 2**31},
        {"purpose": "labels"},
        {"law": LAW | {"d": 8}},
        {"law": LAW | {"n_train": 41}},
        {"law": LAW | {"law": "mixture"}},
    ]
    assert len({draw(**variant, size=3).tobytes() for variant in variants}) == len(variants)


@given(
    st.lists(
        st.tuples(st.integers(0, 2**64), st.integers(0, 2**31), st.text(max_size=5)),
        min_size=2,
        max_size=20,
        unique=True,
    )
)
def test_no_two_streams_are_one(keys):
    firsts = {
        generator(seed, LAW, realization, purpose).integers(0, 2**63)
        for seed, realization, purpose in keys
    }
    assert len(firsts) == len(keys)


def test_drawing_more_of_one_purpose_shifts_no_other():
    generator(1, LAW, 0, "inputs").standard_normal(10**5)
    np.testing.assert_array_equal(draw(purpose="labels"), draw(purpose="labels"))


def test_streams_are_uncorrelated():
    size = 20_000
    streams = [
        draw(seed=seed, realization=realization, purpose=purpose, size=size)
        for seed, realization, purpose in itertools.product(
            (1, 2), (0, 1, 2), ("inputs", "teacher 0", "student 0")
        )
    ]
    correlations = np.corrcoef(streams)[np.triu_indices(len(streams), 1)]
    # 153 pairs: the sum of squares is chi-squared; false alarm 1e-4 on each side.
    statistic = size * np.sum(correlations**2)
    assert stats.chi2.ppf(1e-4, len(correlations)) < statistic
    assert statistic < stats.chi2.isf(1e-4, len(correlations))


def test_first_numbers_of_consecutive_realizations_are_normal():
    # A poor seeding shows across streams, not along them.  False alarm 1e-4.
    firsts = [draw(realization=r, size=1)[0] for r in range(3000)]
    assert stats.kstest(firsts, "norm").pvalue > 1e-4
    lagged = np.corrcoef(firsts[:-1], firsts[1:])[0, 1] * np.sqrt(3000)
    assert abs(lagged) < stats.norm.isf(0.5e-4)


def test_fill_normal_draws_groups_of_rows_one_after_another():
    shape = (5, 2**17)  # two rows make a group
    filled = fill_normal(generator(1, LAW, 0, "x"), np.empty(shape))
    rng = generator(1, LAW, 0, "x")
    for rows in (slice(0, 2), slice(2, 4), slice(4, 5)):
        group = np.empty(shape[1] * (rows.stop - rows.start))
        fill_standard_normal(rng, group)
        np.testing.assert_array_equal(filled[rows].ravel(), group)


@pytest.mark.parametrize("shape", [(5, 2**17), (1000, 7), (0, 3)])
def test_other_memory_holds_the_same_numbers(shape):
    plain = fill_normal(generator(1, LAW, 0, "x"), np.empty(shape), 1 / 3)
    other = fill_normal(generator(1, LAW, 0, "x"), np.empty(shape, order="F"), 1 / 3)
    np.testing.assert_array_equal(other, plain)


@pytest.mark.parametrize("shape", [(3, 2**17 + 1), (1000, 7), (50,), (4, 3, 2)])
def test_float32_is_rounded_float64(shape):
    wide = fill_normal(generator(1, LAW, 0, "x"), np.empty(shape), 1 / 3)
    narrow = fill_normal(generator(1, LAW, 0, "x"), np.empty(shape, np.float32), 1 / 3)
    assert narrow.dtype == np.float32
    np.testing.assert_array_equal(narrow, wide.astype(np.float32))


def test_fill_normal_fills_and_returns_its_argument():
    out = np.full((30, 4), np.nan)
    assert fill_normal(generator(1, LAW, 0, "x"), out, 2.0) is out
    assert np.isfinite(out).all()
    assert fill_normal(generator(1, LAW, 0, "x"), np.empty((0, 4))).shape == (0, 4)
    assert fill_normal(generator(1, LAW, 0, "x"), np.empty((4, 0))).shape == (4, 0)


def test_fill_normal_has_the_law_it_names():
    # False alarm 1e-4 each.
    values = fill_normal(generator(1, LAW, 0, "x"), np.empty((1000, 100)), 2.5).ravel()
    assert stats.kstest(values, stats.norm(scale=2.5).cdf).pvalue > 1e-4
    statistic = np.sum((values / 2.5) ** 2)
    low, high = stats.chi2.ppf([0.5e-4, 1 - 0.5e-4], values.size)
    assert low < statistic < high
