"""Specs, identities, and blocks."""

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linear_grokking.results.identity import Block, blocks, blocks_in, canonical, hashed

SPEC = {"measure": "dynamics", "model": "linear", "solver": "spectral", "eta": 0.01, "seed": 1}

spans = st.tuples(st.integers(0, 60), st.integers(0, 30)).map(lambda p: Block(p[0], p[0] + p[1]))


def test_the_canonical_form_knows_no_order_of_keys():
    assert canonical(SPEC) == canonical(dict(reversed(SPEC.items())))
    assert json.loads(canonical(SPEC)) == SPEC
    assert " " not in canonical(SPEC)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_spec_holds_finite_numbers_only(value):
    with pytest.raises(ValueError):
        canonical(SPEC | {"eta": value})


def test_identities_tell_specs_and_codes_apart_and_stay_the_same():
    assert re.fullmatch("[0-9a-f]{16}", hashed(SPEC, "code"))
    assert hashed(SPEC, "code") == hashed(dict(reversed(SPEC.items())), "code")
    others = [SPEC | {"eta": 0.02}, SPEC | {"seed": 2}, SPEC | {"solver": "gradient_descent"}]
    assert len({hashed(spec, "code") for spec in (SPEC, *others)} | {hashed(SPEC, "other")}) == 5


@given(spans)
def test_blocks_are_read_as_they_are_written(block):
    assert Block.parse(str(block)) == block


@pytest.mark.parametrize("text", ["", "3", "a-b", "5-3", "-1-3", "0-9-9", "0 - 9", "0-9\n"])
def test_what_is_no_block(text):
    with pytest.raises(ValueError, match="must be first-last"):
        Block.parse(text)


def test_blocks_are_cut_at_multiples_of_their_size():
    assert [str(block) for block in blocks(25, 10)] == ["0-9", "10-19", "20-24"]
    assert blocks(3, 10) == [Block(0, 2)]


def test_more_realizations_keep_the_blocks_that_are_there():
    assert blocks(150, 100, [Block(0, 99)]) == [Block(0, 99), Block(100, 149)]
    assert blocks(100, 30, [Block(0, 49)]) == [
        Block(0, 49),
        Block(50, 59),
        Block(60, 89),
        Block(90, 99),
    ]
    assert blocks(50, 100, [Block(0, 99)]) == [Block(0, 99)]


@given(st.integers(1, 80), st.integers(1, 40), st.lists(spans, max_size=6))
def test_blocks_cover_all_realizations_and_recompute_none(realizations, size, present):
    chosen = blocks(realizations, size, present)
    covered = {k for block in chosen for k in range(block.first, block.last + 1)}
    assert covered >= set(range(realizations))
    new = [block for block in chosen if block not in present]
    there = {k for block in present for k in range(block.first, block.last + 1)}
    made = [k for block in new for k in range(block.first, block.last + 1)]
    assert len(made) == len(set(made))
    assert there.isdisjoint(made)
    assert set(made) <= set(range(realizations))
    assert all(block.last - block.first < size for block in new)
    # Once they are there, nothing is left to do.
    assert blocks(realizations, size + 1, [*present, *new]) == blocks(
        realizations, 1, [*present, *new]
    )


def test_only_blocks_are_taken_for_blocks(tmp_path):
    names = ("0-9.parquet", "10-19.parquet", ".20-29.parquet.x.parquet", "30-39.parquet.damaged")
    for name in (*names, "notes-1.parquet", "0-9-9.parquet", "9-5.parquet", "0-9.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / ".40-49.resume").mkdir()
    assert blocks_in(tmp_path) == [Block(0, 9), Block(10, 19)]
    assert blocks_in(tmp_path / "nowhere") == []
