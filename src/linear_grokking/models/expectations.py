"""Losses and accuracies on fresh data: expectations over the law of the output.

The output of a linear classifier is a mixture of normals (`data.OutputMixture`), so the
expectations are closed forms of its means μ and deviations s (Paper B, Sec. 2), correct
to about 1e-12 of their value at every μ and s.
"""

import numpy as np
from scipy.special import ndtr

from linear_grokking.data.laws import OutputMixture
from linear_grokking.models.losses import LARGEST_LOSS, Loss
from linear_grokking.runtime.arrays import Array
from linear_grokking.shapes import Float

_TINY = 1e-100  # stands for a deviation of 0 where it divides


def assign_labels(outputs: OutputMixture, label_fraction: float) -> OutputMixture:
    """Return the mixture when each label is kept with probability r and flipped otherwise.

    Paper B's label fraction: labels that are independent of the inputs.
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


def accuracy_against_minus_one(
    gen_accuracy: Float[Array, "*S"], label_fraction: float
) -> Float[Array, "*S"]:
    """Return P(f < 0) from the accuracy against assigned labels of label fraction r.

    A label is -1 with probability r whatever the input, so A = r P + (1 - r)(1 - P).
    """
    if not 0.5 < label_fraction <= 1:
        raise ValueError(
            f"label_fraction={label_fraction}: must be above 1/2 and at most 1, "
            "or the accuracy does not tell the sign of the output"
        )
    return (gen_accuracy - (1.0 - label_fraction)) / (2.0 * label_fraction - 1.0)
