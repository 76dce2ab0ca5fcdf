"""Losses and accuracies on fresh data: expectations over the law of the output.

The output of a linear classifier is a mixture of normals (`data.OutputMixture`), so the
expectations are closed forms of its means μ and deviations s (Paper B, Sec. 3.2), correct
to about 1e-12 of their value at every μ and s.
"""

import numpy as np
from scipy.special import ndtr

from linear_grokking.data.laws import OutputMixture
from linear_grokking.models.losses import LARGEST_LOSS, Loss
from linear_grokking.runtime.arrays import Array
from linear_grokking.shapes import Float

_TINY = 1e-100  # takes the place of a deviation of 0 in divisions


def assign_labels(outputs: OutputMixture, label_fraction: float) -> OutputMixture:
    """Return the mixture when each label is kept with probability r and flipped otherwise.

    Random labels, independent of the inputs; Paper B's depend on them (`threshold_labels`).
    """
    if not 0 <= label_fraction <= 1:
        raise ValueError(f"label_fraction={label_fraction}: must lie between 0 and 1")
    if label_fraction == 1:
        return outputs
    r = label_fraction
    pairs = (
        (r * outputs.probabilities, (1.0 - r) * outputs.probabilities),
        (outputs.labels, -outputs.labels),
        (outputs.means, outputs.means),
        (outputs.deviations, outputs.deviations),
    )
    return OutputMixture(*(np.concatenate(pair, axis=-1) for pair in pairs))


def gen_accuracy(outputs: OutputMixture) -> Float[Array, "..."]:
    """Return the probability (...) that the output has the label's sign.

    An output of exactly 0 (all parameters 0) has neither sign and counts as wrong.
    """
    means = np.asarray(outputs.labels * outputs.means, float)
    deviations = np.asarray(outputs.deviations, float)
    right = np.where(deviations > 0, ndtr(means / np.maximum(deviations, _TINY)), means > 0)
    return np.sum(outputs.probabilities * right, axis=-1)


def gen_loss(outputs: OutputMixture, loss: Loss) -> Float[Array, "..."]:
    """Return E[ℓ(-y f)] (...), y the label, at most `losses.LARGEST_LOSS`."""
    means = np.asarray(-outputs.labels * outputs.means, float)
    means, deviations = np.broadcast_arrays(means, np.asarray(outputs.deviations, float))
    values = loss.expectation(means, deviations)
    return np.minimum(np.sum(outputs.probabilities * values, axis=-1), LARGEST_LOSS)
