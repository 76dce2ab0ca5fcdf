"""Checkpoints that let a killed job go on.

A solver offers its state at every step; the checkpoint decides when a state is worth
writing.  `NoCheckpoint` never writes: it is what tests and single calls use.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

State = Mapping[str, np.ndarray]


class Checkpoint(Protocol):
    """Where a solver's state survives the death of its process."""

    def restore(self) -> State | None:
        """Return the last saved state, or None where the solver starts afresh."""

    def offer(self, state: Callable[[], State]) -> None:
        """Save ``state()`` if it is time to; called once per solver step.

        Raises
        ------
        Interrupted
            After saving, where the job was asked to stop.
        """


class NoCheckpoint:
    """A checkpoint that keeps nothing."""

    def restore(self) -> State | None:
        """Return None."""
        return None

    def offer(self, state: Callable[[], State]) -> None:
        """Do nothing."""
