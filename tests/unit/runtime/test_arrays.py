"""The library of an array, for NumPy and torch."""

import numpy as np
import pytest

from linear_grokking.runtime.arrays import array_namespace, like


def test_numpy_is_its_own_namespace():
    assert array_namespace(np.zeros(2), np.float32(1.0)) is np


def test_torch_has_the_functions_of_the_standard():
    torch = pytest.importorskip("torch")
    array = torch.tensor([[1.0, 2.0]])
    xp = array_namespace(array, array)
    assert xp.astype(xp.permute_dims(array, (1, 0)), xp.float64).shape == (2, 1)
    assert like(array, np.ones(3)).dtype == torch.float64


def test_arrays_of_two_libraries_have_none():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError):
        array_namespace(np.zeros(2), torch.zeros(2))
    with pytest.raises(TypeError):
        array_namespace()
