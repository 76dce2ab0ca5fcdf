"""Proofs, in floating point, that a set of points is or is not linearly separable.

Points x_i ∈ R^d all carry the label -1: the set is separable (from the origin) if some S
has S·x_i < 0 for all i (Paper B, Sec. 3).  Both tests below bound every rounding error, so
"yes" is a theorem about the stored numbers; "no" only means that nothing was proved.

Notation: u = 2⁻⁵³, γ_n = nu/(1-nu); a sum of n products has an error of at most γ_n times
the sum of the moduli, in whatever order it is evaluated, with or without fused
multiply-add (Higham, *Accuracy and Stability of Numerical Algorithms*, Sec. 3.1).  Each
bound carries a factor 2 for the rounding of the bound itself.

**Separable.**  max_i S·x_i < 0, with |fl(S·x_i) - S·x_i| ≤ γ_d ‖S‖‖x_i‖.

**Not separable.**  For any weights p ≥ 0 let B = XᵀPX, u* = B⁻¹Xᵀp and
q* = p(1 - Xu*).  Then Xᵀq* = Xᵀp - Bu* = 0 *exactly*.  If q* ≥ 0, q* ≠ 0, no S can have
S·x_i < 0 for all i, as Σ q*_i S·x_i = 0; and if B is positive definite the origin lies in
the interior of the hull (of the points with p_i > 0), so that S_∞ exists and is unique.
A computed u has u* - u = B⁻¹r with r = Xᵀq, q = p(1 - Xu), so

    1 - x_i·u* ≥ 1 - x_i·u - ‖x_i‖ ‖r‖ / λ_min(B),

and it is enough that the right side is positive for all i.  No tolerance enters: an
inaccurate u makes r large and the test fail.  (In the weights q this is the requirement
that ‖Xᵀq‖ be small against a least singular value; here the matrix is B, which Newton's
method factorizes anyway, and tiny weights do no harm.)

**λ_min(B).**  B̂ = fl(B) differs from B by at most (γ_N + 6u) tr B in norm, and if the
Cholesky factorization of B̂ - cI runs to completion, B̂ - cI + E is positive semidefinite
for some ‖E‖ ≤ γ_{d+1} tr B (Higham, Theorem 10.3; Rump, BIT 46, 433, 2006).  With
c = 64 (N + d + 8) u tr B, λ_min(B) > c/2 follows with a factor 32 to spare, for
factorizations that multiply by inverted diagonal blocks, as some on GPUs do.  c is so
small that the same factor also serves for Newton's step.

All functions take arrays of NumPy or torch, in float64, with any leading batch axes.
"""

from linear_grokking.runtime.arrays import array_namespace

UNIT_ROUNDOFF = 2.0**-53


def _gamma(terms: int) -> float:
    return terms * UNIT_ROUNDOFF / (1.0 - terms * UNIT_ROUNDOFF)


def curvature_shift(trace, n_points: int, d: int):
    """Return c such that a Cholesky factor of B̂ - cI proves λ_min(B) > c/2.

    Parameters
    ----------
    trace : (...)
        Trace of the computed B = XᵀPX.
    """
    return 64.0 * (n_points + d + 8) * UNIT_ROUNDOFF * trace


def separates(outputs, point_norms, direction_norm, d: int):
    """Tell whether a direction S provably has S·x_i < 0 for all i.

    Parameters
    ----------
    outputs : (..., N)
        Computed S·x_i, each from one product of the stored S and x_i.
    point_norms : (..., N)
        ‖x_i‖.
    direction_norm : (...)
        ‖S‖.
    d
        Dimension.

    Returns
    -------
    (...) of bool
    """
    xp = array_namespace(outputs)
    error = 2.0 * _gamma(d) * point_norms * direction_norm[..., None]
    return xp.max(outputs + error, axis=-1) < 0.0


def encloses(*, weights, step_outputs, residual, shift, point_norms, step_norm, d: int):
    """Tell whether the origin provably lies inside the convex hull of the points.

    Parameters
    ----------
    weights : (..., N)
        p ≥ 0, any.
    step_outputs : (..., N)
        Computed Xu, u an approximate solution of XᵀPX u = Xᵀp.
    residual : (..., d)
        Computed Xᵀ[p(1 - Xu)].
    shift : (...)
        `curvature_shift` of XᵀPX; its shifted Cholesky factorization has succeeded.
    point_norms : (..., N)
        ‖x_i‖.
    step_norm : (...)
        ‖u‖.
    d
        Dimension.

    Returns
    -------
    (...) of bool
    """
    xp = array_namespace(weights)
    n_points = weights.shape[-1]
    room = 1.0 - step_outputs
    moments = weights * point_norms
    residual_norm = norm(residual) + 2.0 * (
        _gamma(n_points + 2) * xp.sum(moments * xp.abs(room), axis=-1)
        + _gamma(d) * step_norm * xp.sum(moments * point_norms, axis=-1)
    )
    residual_norm = residual_norm * (1.0 + 2.0 * _gamma(d + 8))
    outputs_error = 2.0 * _gamma(d + 2) * (1.0 + xp.abs(step_outputs))
    outputs_error = outputs_error + 2.0 * _gamma(d) * point_norms * step_norm[..., None]
    least = (room - outputs_error) * (0.5 * shift[..., None])
    return xp.min(least - residual_norm[..., None] * point_norms, axis=-1) > 0.0


def norm(vectors):
    """Return the Euclidean norms of vectors along the last axis."""
    xp = array_namespace(vectors)
    return xp.sqrt(xp.sum(vectors * vectors, axis=-1))
