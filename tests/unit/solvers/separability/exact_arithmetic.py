"""Separability of small integer sets in exact rational arithmetic."""

from fractions import Fraction
from itertools import combinations

import numpy as np


def solve(matrix, right):
    """Solve a square rational system by elimination; None where it is singular."""
    rows = [
        [Fraction(v) for v in row] + [Fraction(b)] for row, b in zip(matrix, right, strict=True)
    ]
    n = len(rows)
    for k in range(n):
        pivot = next((i for i in range(k, n) if rows[i][k] != 0), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [v / rows[k][k] for v in rows[k]]
        for i in range(n):
            if i != k and rows[i][k] != 0:
                rows[i] = [a - rows[i][k] * b for a, b in zip(rows[i], rows[k], strict=True)]
    return [row[n] for row in rows]


def origin_in_hull(points: np.ndarray) -> bool:
    """Tell by Carathéodory's theorem whether 0 is a convex combination of the rows.

    If it is, it is one of at most d + 1 affinely independent points, whose weights are
    the unique solution of the normal equations of Σ q_i (x_i, 1) = (0, 1).
    """
    lifted = [[*map(int, x), 1] for x in points]
    d = points.shape[1]
    for size in range(1, d + 2):
        for chosen in combinations(lifted, size):
            gram = [[sum(a * b for a, b in zip(u, v, strict=True)) for v in chosen] for u in chosen]
            weights = solve(gram, [u[-1] for u in chosen])
            if weights is None or min(weights) < 0:
                continue
            total = [
                sum(w * u[k] for w, u in zip(weights, chosen, strict=True)) for k in range(d + 1)
            ]
            if total == [0] * d + [1]:
                return True
    return False


def separates(points: np.ndarray, direction: np.ndarray) -> bool:
    """Tell whether the stored direction has S·x < 0 exactly, for every row x."""
    exact = [Fraction(float(s)) for s in direction]
    return all(
        sum(int(x) * s for x, s in zip(row, exact, strict=True)) < 0 for row in points.tolist()
    )


def hull_weights(points: np.ndarray, weights: np.ndarray) -> list[Fraction] | None:
    """Return q = p(1 - XB⁻¹Xᵀp), B = XᵀPX, for stored weights p; None if B is singular."""
    p = [Fraction(float(w)) for w in weights]
    rows = [[int(v) for v in row] for row in points.tolist()]
    d = points.shape[1]
    matrix = [
        [sum(w * x[j] * x[k] for w, x in zip(p, rows, strict=True)) for k in range(d)]
        for j in range(d)
    ]
    gradient = [sum(w * x[j] for w, x in zip(p, rows, strict=True)) for j in range(d)]
    u = solve(matrix, gradient)
    if u is None:
        return None
    return [
        w * (1 - sum(a * b for a, b in zip(x, u, strict=True)))
        for w, x in zip(p, rows, strict=True)
    ]
