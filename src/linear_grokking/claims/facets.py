"""Claims on the theorem of Paper B's App. D: ‖S_∞‖ near the boundary of the hull."""

from collections.abc import Iterator

import numpy as np
from scipy.optimize import linprog
from scipy.spatial.distance import pdist

from linear_grokking.claims.measuring import furthest
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, Measurement, paper_b
from linear_grokking.solvers.separability.verdict import assess
from linear_grokking.theory import two_point

_THEOREM = paper_b("App. D (constants by its proof, whose formulas we have not seen)")
_SETS, _N, _LAMBDA = 40, 50, 0.48


def norm_over_bound(points: np.ndarray, limit: np.ndarray) -> float:
    """Return the ratio of ‖S_∞‖ to the theorem's lower bound log((1-ε)/ε)/D.

    The ratio is inf where the bound is not positive.  S_∞ solves Σp_i x_i = 0 with
    p_i ∝ e^{S_∞·x_i}.  If every representation of the origin gives the d points of a facet a
    total weight of at least 1-ε, this one does too.  Then one of these points weighs at least
    (1-ε)/d, and one of the others at most ε/(N-d).  The logarithm of the ratio of these two
    weights is at most ‖S_∞‖D, where D is the diameter of the set.  For λ ≤ ½ the factor (N-d)/d
    only raises the bound.

    Parameters
    ----------
    points : (N, d)
        A set whose hull holds the origin.
    limit : (d,)
        S_∞; the facet is the one in its direction.
    """
    n, d = points.shape
    hull = np.vstack([points.T, np.ones(n)])
    origin = np.append(np.zeros(d), 1.0)
    ray = np.append(-limit / np.linalg.norm(limit), 0.0)
    # The furthest point of the hull along the ray is a combination of the facet's points.
    furthest = linprog(
        np.append(np.zeros(n), -1.0),
        A_eq=np.column_stack([hull, ray]),
        b_eq=origin,
        method="highs-ds",
    )
    others = furthest.x[:-1] <= 1e-12
    epsilon = -linprog(-others.astype(float), A_eq=hull, b_eq=origin, method="highs").fun
    if epsilon >= 0.5:
        return np.inf
    bound = np.log((1.0 - epsilon) / epsilon) / pdist(points).max()
    return float(np.linalg.norm(limit) / bound)


@claims_of(
    "BT1",
    "B17",
    statement="‖S_∞‖ is at least log((1-ε)/ε)/D, with ε the weight off a facet and D the diameter.",
    source=_THEOREM,
)
def norm_near_the_boundary(evidence: Evidence) -> Iterator[Claim]:
    """Compare ‖S_∞‖ with the bound: two points attain it, small random sets do not."""
    if evidence.figure == "BT1":
        delta = np.geomspace(1e-3, 0.5, 9)
        # The points are -σ and x₂ = σδ, so D = σ(1+δ); x₂, the facet, weighs 1/(1+δ).
        epsilon = delta / (1.0 + delta)
        bound = np.log((1.0 - epsilon) / epsilon) / (1.0 + delta)
        ratio = two_point.settled_output(delta) / bound
        yield Claim(
            "BT1-facet-bound",
            "The two-point model attains the bound ‖S_∞‖ ≥ log((1-ε)/ε)/D, with ε the weight off "
            "the facet (here a point) and D the diameter: ‖S_∞‖ over the bound is 1 within 1e-9 "
            "for 1-2λ from 1e-3 to 0.5 (measured: the ratio furthest from 1).",
            furthest(map(Measurement.exact, ratio)).near(1.0, 1e-9),
        )
        return
    rng, ratios = np.random.default_rng(0), []
    while len(ratios) < _SETS:
        points = rng.standard_normal((_N, round(_LAMBDA * _N)))
        found = assess(points, margin=False)
        if not found.separable and found.direction is not None:
            ratios.append(norm_over_bound(points, found.direction))
    least = min(ratios)
    yield Claim(
        "B17-facet-bound",
        f"On random sets that are not separable (N = {_N}, λ = {_LAMBDA}), ‖S_∞‖ is never below "
        "log((1-ε)/ε)/D, with ε the weight off the facet and D the diameter (measured: the "
        "smallest ratio of ‖S_∞‖ to this bound, over sets drawn for this check).",
        Measurement(least, least, least, _SETS).at_least(1.0),
        note="The bound is far from tight: it grows as log(1/ε), and ‖S_∞‖ of many points grows "
        "faster.",
    )
