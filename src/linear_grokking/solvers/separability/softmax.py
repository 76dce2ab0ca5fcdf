"""The logarithm of a sum of exponentials, and its gradient."""

import numpy as np


def softmax(outputs: np.ndarray) -> np.ndarray:
    """Return e^{f_i} / Σ e^{f_k} (N,)."""
    weights = np.exp(outputs - outputs.max())
    weights /= weights.sum()
    return weights


def log_sum_exp(outputs: np.ndarray) -> float:
    """Return ln Σ e^{f_i}."""
    top = outputs.max()
    return float(top + np.log(np.exp(outputs - top).sum()))
