"""What can go wrong in a command or a job, said in one line."""

import sys

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.runtime import extras

_EXPECTED = (LinearGrokkingError, ValueError, OSError, MemoryError)


def expected(error: BaseException) -> bool:
    """Tell whether the message of an error is enough.

    So it is of what the package says itself, of values that cannot be used, of what the
    system refuses, of libraries that an extra brings and that are not installed, and of memory
    that does not suffice, torch's on a GPU included.  Any other error is a fault of the program,
    which its traceback helps to find.
    """
    torch = sys.modules.get("torch")  # where it was not imported, the error is none of torch's
    if extras.missing(error):
        return True
    return isinstance(error, _EXPECTED) or (
        torch is not None and isinstance(error, torch.OutOfMemoryError)
    )


def line(error: BaseException) -> str:
    """Return what to print of an expected error."""
    return f"error: {extras.missing(error) or str(error) or type(error).__name__}"
