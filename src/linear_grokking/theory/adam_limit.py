"""Adam on one label at large size: where its small steps lead, and how fast (ours).

Full-batch Adam tends to the direction of the largest margin in the box max(|S_j|, |b|) ≤ 1
(Zhang, Zou and Cao 2024).  With one label b = -1, and S has the largest m with S·x_i ≤ -m:
positive from λ = ½ on, and along a direction whose deviation of outputs is σρ√d, so large that the
accuracy stays near chance.  Below ½ S tends to S_∞ as with any descent, and b falls by a constant
in every step (derived in docs/theory.md).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from linear_grokking.theory import large_size
from linear_grokking.theory._domain import Broadcast, checked, within
from linear_grokking.theory._search import root
from linear_grokking.theory.margin import mean_margin, normal_density, truncated_second_moment


class BoxMargin(NamedTuple):
    """The largest margin in the box |S_j| ≤ 1 for N → ∞, arrays of one shape.

    Attributes
    ----------
    margin
        m/(σ√d), m the least of -S·x_i.
    size
        ρ = ‖S‖/√d of the S that has it, the root mean square of its entries.
    """

    margin: np.ndarray
    size: np.ndarray


def box_margin(lambda_: ArrayLike) -> BoxMargin:
    """Return the largest margin in the box, and the size of the direction that has it.

    S_j = clip(g_j/θ, -1, 1) for a normal g, and with κ = m/(σρ√d)
    G(κ)ρ² = λa², λ(2Φ(θ) - 1) = Φ(κ), where a = E[g clip(g/θ)] = (2Φ(θ) - 1)/θ; the second
    condition says that as many entries lie within the box as points on the margin.

    Parameters
    ----------
    lambda_
        λ = d/N in [0.5001, 1000].
    """
    lambda_ = np.atleast_1d(within("lambda_", lambda_, "[0.5001, 1000]"))
    raise NotImplementedError
