"""Shapes of arrays, for annotations: ``Float[np.ndarray, "R N"]``.

Axes: R realizations, N samples, d input dimensions, T records; ``*S`` stands for any axes, the
same ones throughout a signature.  Type checkers and tests see jaxtyping's types; jobs see a
placeholder, which saves them the import.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING or "jaxtyping" in sys.modules:
    from jaxtyping import Float
else:

    class Float:
        """A placeholder for any array."""

        def __class_getitem__(cls, item: Any) -> Any:
            return Any


Columns = Mapping[str, np.ndarray]
"""Columns (n,) of a table by name, with NaN for undefined numbers; a data frame will do."""

__all__ = ["Columns", "Float"]
