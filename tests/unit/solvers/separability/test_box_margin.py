"""The largest margin in the box against its dual, brute force, and sets that have none."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

from linear_grokking.config.experiments import SeparabilityExperiment
from linear_grokking.data.draws import classification
from linear_grokking.data.laws import Gaussian
from linear_grokking.jobs.kinds import kind_of
from linear_grokking.runtime.context import JobContext
from linear_grokking.solvers.separability import MarginError, assess, box_margin


def draw(n, d, realization=0, sigma=1.0):
    sets = classification(Gaussian(sigma), seed=3, realization=realization, n_train=n, d=d)
    return sets.inputs.astype(float)


def test_two_points_in_a_plane_by_hand():
    # -S·x is S₁ + 2S₂ and 3S₁ - S₂: at S₁ = 1 they meet in S₂ = ⅔.
    points = np.array([[-1.0, -2.0], [-3.0, 1.0]])
    found = box_margin(points)
    assert found.margin == pytest.approx(7 / 3)
    np.testing.assert_allclose(found.direction, [1.0, 2 / 3])


@pytest.mark.parametrize("realization", range(4))
def test_no_direction_of_a_fine_grid_has_a_larger_margin(realization):
    points = draw(4, 3, realization)
    # Every maximum lies on a face: one entry is 1 or -1.
    side = np.linspace(-1, 1, 201)
    best = -np.inf
    for face, sign in product(range(3), (-1.0, 1.0)):
        grid = np.array(np.meshgrid(side, side)).reshape(2, -1)
        directions = np.insert(grid, face, sign, axis=0)
        best = max(best, -(points @ directions).max(axis=0).min())
    if best <= 0.0:
        with pytest.raises(MarginError):
            box_margin(points)
        return
    margin = box_margin(points).margin
    assert best <= margin * (1 + 1e-9)
    assert margin == pytest.approx(best, abs=0.01 * 2 * np.abs(points).sum(axis=1).max())


@pytest.mark.parametrize(("n", "d"), [(30, 24), (80, 56)])
@pytest.mark.parametrize("sigma", [1.0, 1e-30, 1e20])
def test_the_margin_is_the_least_sum_of_moduli(n, d, sigma):
    # The dual programme, by another method.
    points = draw(n, d)
    equal = np.block([[points.T, -np.eye(d), np.eye(d)], [np.ones((1, n)), np.zeros((1, 2 * d))]])
    cost = np.append(np.zeros(n), np.ones(2 * d))
    right = np.append(np.zeros(d), 1.0)
    least = linprog(cost, A_eq=equal, b_eq=right, bounds=(0, None), method="highs-ipm").fun
    found = box_margin(sigma * points)
    assert found.margin == pytest.approx(sigma * least, rel=1e-6)
    assert np.abs(found.direction).max() == 1.0
    assert -(sigma * points @ found.direction).max() == pytest.approx(found.margin, rel=1e-12)


def by_simplex(points):
    n, d = points.shape
    rows = np.column_stack([points, np.ones(n)])
    box = [(-1.0, 1.0)] * d + [(None, None)]
    cost = np.append(np.zeros(d), -1.0)
    return linprog(cost, A_ub=rows, b_ub=np.zeros(n), bounds=box, method="highs-ds")


@pytest.mark.parametrize(("n", "d"), [(80, 44), (200, 120), (200, 160)])
def test_direction_and_margin_are_those_of_the_simplex_method(n, d):
    # Close to the transition, too, where margins are small.
    points = draw(n, d, realization=2)
    simplex = by_simplex(points)
    found = box_margin(points)
    assert found.margin == pytest.approx(-simplex.fun, rel=1e-8)
    np.testing.assert_allclose(found.direction, simplex.x[:-1], atol=1e-7)


@pytest.mark.parametrize("small", [1e-2, 1e-4])
def test_a_margin_beyond_the_tolerance_of_interior_points_is_found(small):
    # With the points moved along Xᵀz, S and z stay what they are, and the margin shrinks.
    points = draw(40, 30)
    margin = box_margin(points).margin
    z = -by_simplex(points).ineqlin.marginals
    points -= (1.0 - small) * (z @ points) / z.sum()
    assert box_margin(points).margin == pytest.approx(small * margin, rel=1e-5)


def test_sets_without_a_margin_are_refused_and_left_out():
    points = draw(40, 8)
    with pytest.raises(MarginError, match="box margin: 40 points in 8 dimensions"):
        box_margin(points)
    assert assess(points, margin=True, box=True).box_margin is None


def test_it_is_computed_where_it_is_asked_for():
    points = draw(30, 24)
    plain, more = assess(points, margin=True), assess(points, margin=True, box=True)
    found = box_margin(points)
    assert (more.box_margin, more.box_norm) == (found.margin, np.linalg.norm(found.direction))
    assert plain.box_margin is None and plain.margin == more.margin
    assert replace(more, direction=None, box_margin=None, box_norm=None) == replace(
        plain, direction=None
    )


def test_the_key_is_part_of_the_runs_that_use_it():
    keys = {"measure": "separability", "n_train": 30, "d": 24}
    (plain,) = SeparabilityExperiment.model_validate(keys).grid(3)
    (asked,) = SeparabilityExperiment.model_validate({**keys, "box_margin": True}).grid(3)
    assert "box_margin" not in plain.spec
    assert asked.spec == plain.spec | {"box_margin": True}
    cost = [kind_of(each.spec).cost(each.spec).host_seconds for each in (plain, asked)]
    assert cost[0] < cost[1]
    (_, columns), *_ = kind_of(plain.spec).compute(plain.spec, [0], JobContext())
    assert np.isnan(columns["box_margin"][0])
    (_, columns), *_ = kind_of(asked.spec).compute(asked.spec, [0], JobContext())
    assert columns["box_margin"][0] == pytest.approx(box_margin(draw(30, 24)).margin)
