"""Linear separability: verdicts with certificates, limit directions and margins.

`linear_grokking.solvers.separability.batched` does the same for many sets on a device; it is not
imported here, so that work on the CPU does not pay for importing torch.
"""

from linear_grokking.solvers.separability.box_margin import box_margin
from linear_grokking.solvers.separability.margin import HardMargin, MarginError, hard_margin
from linear_grokking.solvers.separability.span import in_span
from linear_grokking.solvers.separability.verdict import Separability, UndecidedError, assess

__all__ = [
    "HardMargin",
    "MarginError",
    "Separability",
    "UndecidedError",
    "assess",
    "box_margin",
    "hard_margin",
    "in_span",
]
