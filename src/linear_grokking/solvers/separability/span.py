"""Coordinates in which points span all of the space, whatever the units of their features."""

import numpy as np


def in_span(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the points in coordinates of their span, in which XᵀX is the unit matrix.

    Columns are first scaled to one size, so that no direction is hidden by features that are
    large, or far from 0 beside a column of ones.

    Parameters
    ----------
    points : (N, d)

    Returns
    -------
    coordinates : (N, r)
        Orthonormal columns; r is the rank.
    back : (d, r)
        S = back s is the direction of least norm with the outputs S·x = s·coordinates.
    """
    scale = np.abs(points).max(axis=0)
    scale[scale == 0.0] = 1.0
    left, sizes, right = np.linalg.svd(points / scale, full_matrices=False)
    rank = int(np.sum(sizes > sizes[0] * max(points.shape) * np.finfo(float).eps))
    back = (right[:rank].T / sizes[:rank]) / scale[:, np.newaxis]
    if rank < points.shape[1]:  # so far least norm is that in scaled columns
        rows = np.linalg.qr((right[:rank] * scale).T)[0]
        back = rows @ (rows.T @ back)
    return left[:, :rank], back
