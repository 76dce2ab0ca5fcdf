"""Coordinates in the span of points."""

import numpy as np
import pytest

from linear_grokking.solvers.separability import in_span


def test_outputs_are_kept_by_the_direction_of_least_norm():
    rng = np.random.default_rng(0)
    flat = rng.standard_normal((30, 4))
    points = np.hstack([flat, flat[:, :1], 1e6 * flat[:, 1:2] + flat[:, 2:3], np.zeros((30, 1))])
    coordinates, back = in_span(points)
    assert coordinates.shape == (30, 4) and back.shape == (7, 4)
    assert coordinates.T @ coordinates == pytest.approx(np.eye(4), abs=1e-12)
    assert points @ back == pytest.approx(coordinates, abs=1e-8)
    least = np.linalg.lstsq(points, coordinates, rcond=1e-13)[0]
    assert back == pytest.approx(least, abs=1e-8)


def test_features_far_from_zero_beside_a_column_of_ones_hide_no_direction():
    points = np.column_stack([np.random.default_rng(0).standard_normal(50) + 1e9, np.ones(50)])
    coordinates, back = in_span(points)
    assert coordinates.shape == (50, 2)
    assert points @ back == pytest.approx(coordinates, abs=1e-5)


def test_points_at_the_origin_span_nothing():
    coordinates, back = in_span(np.zeros((3, 2)))
    assert coordinates.shape == (3, 0) and back.shape == (2, 0)
