"""When a history is recorded."""

import numpy as np


def record_steps(t_max: float, records: int) -> np.ndarray:
    """Return the recorded steps (float64): 0, then whole numbers log-spaced up to t_max."""
    spaced = np.logspace(0.0, np.log10(t_max), records)
    spaced[-1] = t_max
    return np.unique(np.concatenate([[0.0], np.rint(spaced)]))
