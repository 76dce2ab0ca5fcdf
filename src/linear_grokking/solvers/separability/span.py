"""Coordinates in which points span all of the space, whatever the units of their features."""

import numpy as np


def in_span(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return points in the span of them all, with the unit matrix for a covariance.

    Columns are brought to one size first, so that features of large size, or far from 0 beside a
    column of ones, hide no direction.

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
    if rank < points.shape[1]:  # what is of least norm in equal columns is not as they were
        rows = np.linalg.qr((right[:rank] * scale).T)[0]
        back = rows @ (rows.T @ back)
    return left[:, :rank], back
