"""Paper B's model where the first coordinate decides the label (v2 App. I).

y = +1 where x₁ > σq, q = Φ⁻¹(r), and x ~ N(0, σ²I): the law of x₁ is our reading.  With
z₁ = x₁/σ the output is f = b + σS₁z₁ + σ‖S_⊥‖h, h ~ N(0, 1): label and output are functions
of two normals with correlation S₁/‖S‖, and the expectations have closed forms.
"""

from collections.abc import Mapping

import numpy as np
from scipy.special import ndtri, owens_t

from linear_grokking.data.laws import InputLaw
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.models.losses import Loss
from linear_grokking.models.softplus import mean_softplus
from linear_grokking.runtime.arrays import Array, to_host
from linear_grokking.shapes import Float

_TINY = 1e-80  # takes the place of 0 in divisions


class ThresholdLabelsModel(LogisticModel):
    """Logistic classification of Gaussian inputs whose first coordinate decides the label.

    Parameters
    ----------
    inputs, labels, law, loss, bias, decays, threads
        As for `LogisticModel`; the law must be Gaussian, and the loss the cross-entropy.
    share
        r in (0, 1), the share of inputs that are labelled -1.

    Raises
    ------
    ValueError
        As for `LogisticModel`, and for a share outside (0, 1).
    """

    def __init__(
        self,
        inputs: Float[Array, "..."],
        labels: Float[Array, "..."],
        law: InputLaw,
        *,
        loss: Loss,
        share: float,
        bias: bool = True,
        decays: tuple[float, float] = (0.0, 0.0),
        threads: int = 1,
    ) -> None:
        if not 0 < share < 1:
            raise ValueError(f"share={share}: must lie between 0 and 1, neither included")
        options = {"bias": bias, "decays": decays, "threads": threads}
        super().__init__(inputs, labels, law, loss=loss, **options)
        self._share = share

    def measure(
        self, weights: Float[Array, "*S d"], bias: Float[Array, "*S"]
    ) -> dict[str, Float[np.ndarray, "*S"] | Float[np.ndarray, "*S K"]]:
        """See `LogisticModel.measure`."""
        # All in one transfer: the host waits for each.
        xp = self.xp
        margins = self._margins(self.outputs(weights, bias))
        return to_host(
            {
                "train_loss": xp.mean(self._loss.value(xp, margins), axis=-1),
                "train_accuracy": xp.mean(xp.astype(margins < 0, xp.float64), axis=-1),
                "weight_norm": xp.linalg.vector_norm(weights, axis=-1),
                "bias": bias,
                "along": weights[..., 0],
                "across": xp.linalg.vector_norm(weights[..., 1:], axis=-1),
            }
        )

    def observables_from(
        self, measured: Mapping[str, np.ndarray]
    ) -> dict[str, Float[np.ndarray, "*S"]]:
        """See `LogisticModel.observables_from`."""
        observables = dict(measured)
        along, across = (self._law.sigma * observables.pop(name) for name in ("along", "across"))
        given = along, across, observables["bias"], self._share
        return observables | {"gen_loss": gen_loss(*given), "gen_accuracy": gen_accuracy(*given)}


def gen_accuracy(
    along: Float[np.ndarray, "*S"],
    across: Float[np.ndarray, "*S"],
    bias: Float[np.ndarray, "*S"],
    share: float,
) -> Float[np.ndarray, "*S"]:
    """Return P(y f > 0), correct to about 1e-15.

    With s² = (σS₁)² + (σ‖S_⊥‖)² it is P(z₁ > q, z > k) + P(z₁ < q, z < k), k = -b/s, for
    normals z₁, z with correlation ρ = S₁/‖S‖: two values of Owen's T function (Owen 1956).

    Parameters
    ----------
    along, across
        σS₁ and σ‖S_⊥‖.
    share
        r in (0, 1): the share of the label -1.
    """
    size = np.hypot(along, across)
    spread = np.maximum(size, _TINY)
    rho, rest = along / spread, np.maximum(across / spread, _TINY)
    # The probability is continuous in q and k, but Owen's form of it only away from 0.
    q, k = (np.where(value == 0, _TINY, value) for value in (ndtri(share), -bias / spread))
    both = owens_t(q, (k - rho * q) / (q * rest)) + owens_t(k, (q - rho * k) / (k * rest))
    # An output of exactly 0 has neither sign and counts as wrong.
    return np.where((size > 0) | (bias != 0), 1.0 - 2.0 * both - (q * k < 0), 0.0)


def gen_loss(
    along: Float[np.ndarray, "*S"],
    across: Float[np.ndarray, "*S"],
    bias: Float[np.ndarray, "*S"],
    share: float,
) -> Float[np.ndarray, "*S"]:
    """Return E[log(1 + e^{-yf})], correct to about 1e-14 of |b| + σ‖S‖.

    As log(1 + e^{-f}) = log(1 + e^f) - f, it is the loss with labels -1 throughout less
    E[f; x₁ > σq], the part of the labels +1.  Parameters as for `gen_accuracy`.
    """
    q = ndtri(share)
    of_plus = bias * (1.0 - share) + along * np.exp(-0.5 * q * q) / np.sqrt(2.0 * np.pi)
    return np.maximum(mean_softplus(bias, np.hypot(along, across)) - of_plus, 0.0)
