"""What can go wrong in a command or a job, said in one line."""

from linear_grokking.runtime.checkpoints import Interrupted

EXPECTED = (ValueError, RuntimeError, OSError, MemoryError, Interrupted)
"""Errors whose message is enough; any other is a fault of the program, with a traceback."""


def line(error: BaseException) -> str:
    """Return what to print of an expected error."""
    return f"error: {str(error) or type(error).__name__}"
