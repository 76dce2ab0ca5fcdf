"""Losses and accuracies on fresh data: expectations over the law of the output.

The output of a linear classifier is a mixture of normals (`data.OutputMixture`), so the
expectations are closed forms of its means μ and deviations s (Paper B, Sec. 2), correct
to about 1e-12 of their value at every μ and s.
"""

import numpy as np
from scipy.special import erfcx, ndtr

from linear_grokking.data import OutputMixture

LARGEST_LOSS = 1e300
"""Where the exponential loss exceeds this, this is what is reported.

E[e^f] overflows in separable runs.  The cap keeps histories finite, and leaves room for
sums and means of capped values.
"""

LOSSES = ("cross_entropy", "exponential")

_TINY = 1e-100  # stands for a deviation of 0 where it divides
_TERMS = 24  # of the alternating series; its error falls like 5.8^-terms


def assign_labels(outputs: OutputMixture, label_fraction: float) -> OutputMixture:
    """Return the mixture when each label is kept with probability r and flipped otherwise.

    Paper B's label fraction: labels that are independent of the inputs.
    """
    if not 0 <= label_fraction <= 1:
        raise ValueError(f"label_fraction={label_fraction}: must lie between 0 and 1")
    if label_fraction == 1:
        return outputs
    probabilities = np.asarray(outputs.probabilities)
    labels = np.asarray(outputs.labels)
    return OutputMixture(
        probabilities=np.concatenate(
            [label_fraction * probabilities, (1.0 - label_fraction) * probabilities], axis=-1
        ),
        labels=np.concatenate([labels, -labels], axis=-1),
        means=np.concatenate([outputs.means, outputs.means], axis=-1),
        deviations=np.concatenate([outputs.deviations, outputs.deviations], axis=-1),
    )


def accuracy(outputs: OutputMixture) -> np.ndarray:
    """Return the probability (...) that the output has the label's sign.

    An output of exactly 0 (all parameters 0) has neither sign and counts as wrong.
    """
    means = np.asarray(outputs.labels * outputs.means, float)
    deviations = np.asarray(outputs.deviations, float)
    right = np.where(deviations > 0, ndtr(means / np.maximum(deviations, _TINY)), means > 0)
    return np.sum(outputs.probabilities * right, axis=-1)


def loss(outputs: OutputMixture, kind: str) -> np.ndarray:
    """Return E[ℓ(-y f)] (...), y the label, at most `LARGEST_LOSS`.

    Parameters
    ----------
    outputs
        Law of the output f.
    kind
        ``"cross_entropy"``, ℓ(m) = log(1 + e^m), or ``"exponential"``, ℓ(m) = e^m.
    """
    means = np.asarray(-outputs.labels * outputs.means, float)
    means, deviations = np.broadcast_arrays(means, np.asarray(outputs.deviations, float))
    if kind == "cross_entropy":
        values = _mean_softplus(means, deviations)
    elif kind == "exponential":
        values = np.exp(np.minimum(means + 0.5 * deviations**2, np.log(LARGEST_LOSS)))
    else:
        raise ValueError(f"loss={kind}: must be one of {', '.join(LOSSES)}")
    return np.minimum(np.sum(outputs.probabilities * values, axis=-1), LARGEST_LOSS)


def accuracy_against_minus_one(gen_accuracy: np.ndarray, label_fraction: float) -> np.ndarray:
    """Return P(f < 0) from the accuracy against assigned labels of label fraction r.

    A label is -1 with probability r whatever the input, so A = r P + (1 - r)(1 - P).
    """
    if not 0.5 < label_fraction <= 1:
        raise ValueError(
            f"label_fraction={label_fraction}: must be above 1/2 and at most 1, "
            "or the accuracy does not tell the sign of the output"
        )
    return (gen_accuracy - (1.0 - label_fraction)) / (2.0 * label_fraction - 1.0)


def _mean_softplus(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Return E[log(1 + e^m)] for m ~ N(μ, s²), as E[max(m, 0)] + E[log(1 + e^-|m|)].

    The first is closed; the second is Σ_k (-1)^{k+1} E[e^{-k|m|}]/k, whose terms are
    closed too and, being moments of a positive measure, are summed with an error of
    5.8^-n of the first by n weighted terms (Cohen, Rodriguez Villegas, Zagier 2000).
    """
    deviation = np.maximum(deviation, _TINY)
    ratio = np.abs(mean) / deviation
    # E[max(m, 0)] for μ < 0 is s(φ(a) - aΦ(-a)), a = |μ|/s; for μ > 0 it is larger by μ.
    mills = np.sqrt(np.pi / 2.0) * erfcx(ratio / np.sqrt(2.0))
    half_bell = 0.5 * np.exp(-0.5 * ratio**2)
    total = np.maximum(mean, 0.0) + (
        np.sqrt(2.0 / np.pi) * deviation * half_bell * _one_minus_product(ratio, mills)
    )
    sides = np.stack([mean, -mean])  # m > 0 and m < 0
    ratios = sides / deviation
    for k, weight in enumerate(_alternating_weights(_TERMS), start=1):
        total = total + (weight / k) * _laplace_of_tail(k, sides, ratios, deviation, half_bell).sum(
            0
        )
    return total


def _one_minus_product(a: np.ndarray, mills: np.ndarray) -> np.ndarray:
    """Return 1 - a R(a), R the Mills ratio, without cancellation at large a."""
    large = np.maximum(a, 1e3)
    return np.where(a < 1e3, 1.0 - a * mills, 1.0 / large**2)


def _laplace_of_tail(
    k: int, mean: np.ndarray, ratio: np.ndarray, deviation: np.ndarray, half_bell: np.ndarray
) -> np.ndarray:
    """Return E[e^{-km}; m > 0] for m ~ N(μ, s²): e^{k²s²/2 - kμ} Φ(μ/s - ks).

    Where μ/s - ks < 0 the two factors may over- and underflow; their product is written
    with the scaled function erfcx there.  ``half_bell`` is e^{-(μ/s)²/2}/2.
    """
    argument = ratio - k * deviation
    scaled = half_bell * erfcx(np.maximum(-argument, 0.0) / np.sqrt(2.0))
    exponent = np.where(argument > 0, k * (0.5 * k * deviation**2 - mean), 0.0)
    return np.where(argument > 0, np.exp(exponent) * ndtr(argument), scaled)


def _alternating_weights(terms: int) -> np.ndarray:
    """Return signed weights w_k with Σ_{k<n} w_k a_k ≈ Σ (-1)^k a_k, a_k moments.

    Algorithm 1 of Cohen, Rodriguez Villegas and Zagier, *Convergence acceleration of
    alternating series*, Exper. Math. 9 (2000).
    """
    d = (3.0 + np.sqrt(8.0)) ** terms
    d = 0.5 * (d + 1.0 / d)
    b, c = -1.0, -d
    weights = []
    for k in range(terms):
        c = b - c
        weights.append(c / d)
        b *= (k + terms) * (k - terms) / ((k + 0.5) * (k + 1.0))
    return np.array(weights)
