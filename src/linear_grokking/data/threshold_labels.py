"""Classification sets whose labels the inputs decide."""

from dataclasses import replace

import numpy as np
from scipy.special import ndtri

from linear_grokking.data.draws import ClassificationData


def with_threshold_labels(
    data: ClassificationData, label_fraction: float, sigma: float
) -> ClassificationData:
    """Return a set whose inputs decide their labels: +1 where x₁ > σΦ⁻¹(r), else -1.

    In Paper B, v2 App. I, the inputs decide the labels.  It is our reading that x₁ ~ N(0, σ²)
    like the other coordinates, so that a share r of all inputs has the label -1.
    """
    beyond = data.inputs[:, 0] > sigma * ndtri(label_fraction)
    return replace(data, labels=np.where(beyond, 1.0, -1.0).astype(data.inputs.dtype))
