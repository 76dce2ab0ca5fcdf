"""Errors of commands and jobs that are reported in one line."""

import sys

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.runtime import extras

_EXPECTED = (LinearGrokkingError, ValueError, OSError, MemoryError)


def line(error: BaseException) -> str | None:
    """Return the line that reports an error; None if it needs a traceback.

    A line is enough for the package's own errors, unusable values, refusals by the system,
    optional libraries that are not installed, and lack of memory, including torch's on a GPU.  Any
    other error is a fault of the program, which its traceback helps to find.
    """
    torch = sys.modules.get("torch")  # if it was not imported, the error cannot be torch's
    kinds = (*_EXPECTED, torch.OutOfMemoryError) if torch else _EXPECTED
    missing = extras.missing(error)
    if not (missing or isinstance(error, kinds)):
        return None
    told = missing or str(error) or type(error).__name__
    return "; ".join([f"error: {told}", *getattr(error, "__notes__", ())])
