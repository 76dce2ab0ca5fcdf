import pytest
from hypothesis import given
from hypothesis import strategies as st

from linear_grokking.packing import pack, unpack


@given(st.text())
def test_a_packed_text_comes_back_and_needs_no_quotes(text):
    packed = pack(text)
    assert unpack(packed) == text
    assert all(letter.isalnum() or letter in "-_=" for letter in packed)


def test_a_long_list_of_runs_fits_an_argument():
    entries = "".join(f'{{"run_id":"{k:016x}","lambda":0.48,"n_train":400}}' for k in range(5000))
    assert len(pack(entries)) < 2**17 < len(entries)


@pytest.mark.parametrize("packed", ["no base64!", "aGVsbG8="])
def test_other_texts_are_refused(packed):
    with pytest.raises(ValueError, match="not a packed text"):
        unpack(packed)
