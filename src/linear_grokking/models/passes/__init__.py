"""One pass over the data for both products of a gradient: outputs Xv and pull-back Xᵀw.

The weights w of the samples are functions of the outputs (`weighing`).  Products are taken
in the dtype of the inputs, everything else in float64; weights are scaled before they are
rounded to float32, whose range they may exceed.
"""

import numpy as np

from linear_grokking.models.passes.array_pass import ArrayPass
from linear_grokking.models.passes.products import Pass
from linear_grokking.runtime.arrays import Array


def make_pass(inputs: Array | Pass, threads: int = 1) -> Pass:
    """Return the pass over ``inputs`` (R, N, d) that suits their array library.

    Parameters
    ----------
    inputs
        An array, or a pass, which is returned as it is.
    threads
        Threads that share large NumPy matrices.  Results do not depend on it.
    """
    if isinstance(inputs, Pass):
        return inputs
    if isinstance(inputs, np.ndarray):
        from linear_grokking.models.passes.row_pass import RowPass  # compiles its loops

        return RowPass(inputs, threads)
    return ArrayPass(inputs)
