"""Linear regression of given rows, averaged over random teachers as in Paper A.

Labels are y = x·T + ξ.  The entries of T are independent normal variables of equal variance, the
noise ξ is independent of them, and the student starts at zero.  In the eigenbasis of Σ = XᵀX/N, h_i
is the share of mode i that is not yet learned: (1 - 2ην_i)^t with gradient descent, and
(γ/2)/(ν_i + γ/2) in the end with weight decay γ.  Given the rows, the error of a row is normal, and
its variance is a sum over modes (docs/theory.md).  Nothing is assumed about the law of the inputs.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import erf

from linear_grokking.shapes import Float

_KEPT = 1e-12
"""Eigenvalues below this share of the largest one, and noise below this share of the mean square of
the labels, count as rounding errors."""


@dataclass(frozen=True)
class RandomTeacher:
    """Training and held-out rows in the eigenbasis of Σ.

    Attributes
    ----------
    eigenvalues : (K,)
        Positive eigenvalues of Σ, ascending.
    teacher
        Variance of an entry of T.
    noise
        Variance of ξ.
    left : (N, K)
        Squares of the left singular vectors of X.
    held : (M, K)
        Squared components of the held-out rows along the eigenvectors.
    held_outside : (M,)
        Squared norms of the held-out rows' components outside the span of the eigenvectors.
    """

    eigenvalues: Float[np.ndarray, " K"]
    teacher: float
    noise: float
    left: Float[np.ndarray, "N K"]
    held: Float[np.ndarray, "M K"]
    held_outside: Float[np.ndarray, " M"]

    def train_variances(self, left: Float[np.ndarray, "T K"]) -> Float[np.ndarray, "T N"]:
        """Return the variance of each training row's error, given the shares h (T, K)."""
        n_train = len(self.left)
        along = left**2 * (n_train * self.eigenvalues * self.teacher + self.noise)
        outside = np.maximum(1.0 - self.left.sum(axis=1), 0.0)  # rounding can go below 0
        return along @ self.left.T + self.noise * outside

    def gen_variances(self, left: Float[np.ndarray, "T K"]) -> Float[np.ndarray, "T M"]:
        """Return the variance of each held-out row's error, its own noise included."""
        outside = self.teacher * self.held_outside + self.noise
        return self._mode_variances(left) @ self.held.T + outside

    def _mode_variances(self, left: Float[np.ndarray, "T K"]) -> Float[np.ndarray, "T K"]:
        learned = self.noise * (1.0 - left) ** 2 / (len(self.left) * self.eigenvalues)
        return self.teacher * left**2 + learned

    def effective_modes(self, left: Float[np.ndarray, "T K"]) -> Float[np.ndarray, " T"]:
        """Return the effective number of modes that carry the mode-dependent held-out loss."""
        parts = self._mode_variances(left) * self.held.mean(axis=0)
        return parts.sum(axis=1) ** 2 / np.sum(parts**2, axis=1)

    def gen_deviation(self, left: Float[np.ndarray, "T K"]) -> Float[np.ndarray, " T"]:
        """Return the standard deviation of the held-out loss over teachers and training noise."""
        parts = self._mode_variances(left) * self.held.mean(axis=0)
        return np.sqrt(2.0 * np.sum(parts**2, axis=1))


def random_teacher(
    inputs: Float[np.ndarray, "N d"],
    labels: Float[np.ndarray, " N"],
    held_inputs: Float[np.ndarray, "M d"],
) -> RandomTeacher:
    """Estimate the variances of teacher and noise from the labels, and the rest from the rows.

    The noise variance is the least-squares residual per remaining degree of freedom, or 0 if none
    remains.  The teacher accounts for the rest of the labels' mean square.

    Raises
    ------
    ValueError
        If all features of all training rows are 0.
    """
    n_train, d = inputs.shape
    left, sizes, right = np.linalg.svd(inputs, full_matrices=False)
    kept = sizes**2 > _KEPT * sizes[0] ** 2
    if not kept.any():
        raise ValueError(
            "X: all features of the training rows are 0; give more rows, another seed or a "
            "smaller held-out fraction"
        )
    left, sizes, right = left[:, kept][:, ::-1], sizes[kept][::-1], right[kept][::-1]
    eigenvalues = sizes**2 / n_train
    rest = labels - left @ (left.T @ labels)
    free = n_train - len(sizes)
    noise = float(rest @ rest / free) if free else 0.0
    if noise < _KEPT * np.mean(labels**2):
        noise = 0.0
    teacher = max(0.0, float(labels @ labels / n_train - noise)) / eigenvalues.sum()
    components = (held_inputs @ right.T) ** 2
    outside = np.sum(held_inputs**2, axis=1) - components.sum(axis=1)
    full = len(sizes) == d
    return RandomTeacher(
        eigenvalues=eigenvalues,
        teacher=float(teacher),
        noise=noise,
        left=left**2,
        held=components,
        held_outside=np.zeros(len(outside)) if full else np.maximum(outside, 0.0),
    )


def accuracy(variances: Float[np.ndarray, "T n"], epsilon: float) -> Float[np.ndarray, " T"]:
    """Return the expected share of rows whose squared error is at most ε."""
    with np.errstate(divide="ignore", over="ignore"):  # a row of variance 0 is certainly right
        return erf(np.sqrt(epsilon / (2.0 * variances))).mean(axis=1)
