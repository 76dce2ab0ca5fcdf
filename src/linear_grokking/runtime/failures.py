"""Errors of commands and jobs that are reported in one line."""

import sys

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.runtime import extras

_EXPECTED = (LinearGrokkingError, ValueError, OSError, MemoryError)


def expected(error: BaseException) -> bool:
    """Tell whether the message of an error is enough, without a traceback.

    This holds for the package's own errors, unusable values, refusals by the system, optional
    libraries that are not installed, and lack of memory, including torch's on a GPU.  Any other
    error is a fault of the program, which its traceback helps to find.
    """
    torch = sys.modules.get("torch")  # if it was not imported, the error cannot be torch's
    if extras.missing(error):
        return True
    return isinstance(error, _EXPECTED) or (
        torch is not None and isinstance(error, torch.OutOfMemoryError)
    )


def line(error: BaseException) -> str:
    """Return the line to print for an expected error."""
    return f"error: {extras.missing(error) or str(error) or type(error).__name__}"
