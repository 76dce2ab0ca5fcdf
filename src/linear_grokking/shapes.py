"""Shapes of arrays, for annotations: ``Float[np.ndarray, "R N"]``.

Axes: R realizations, N samples, d inputs, T records; ``*S`` any axes, the same wherever the
name stands in one signature.  Type checkers and the tests see jaxtyping's types; a job sees
none, so that it need not wait for their import.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING or "jaxtyping" in sys.modules:
    from jaxtyping import Float
else:

    class Float:
        """Stands for any array."""

        def __class_getitem__(cls, item: Any) -> Any:
            return Any


Columns = Mapping[str, np.ndarray]
"""Columns of a table (n,) by name, undefined numbers NaN; a data frame will do."""

__all__ = ["Columns", "Float"]
