"""The batched search against the one-at-a-time one, on the CPU."""

import logging

import numpy as np
import pytest
import torch
from far_device import NAME, FarDevice

from linear_grokking.runtime.memory import FittingBatches
from linear_grokking.solvers.separability import assess, batched


def assess_batched(draw, realizations, *, shape, margin=False, largest=100, drawing_threads=1):
    """Return what is found on the CPU by torch, by realization in their order."""
    found = batched.assess_batched(
        draw,
        realizations,
        shape=shape,
        margin=margin,
        batches=FittingBatches("cpu", 1.0, largest),
        drawing_threads=drawing_threads,
    )
    by_realization = dict(found)
    assert len(by_realization) == len(realizations)
    return [by_realization[realization] for realization in realizations]


def agree(one, other):
    assert one.separable == other.separable
    assert one.certificate == other.certificate
    if one.separable:
        assert one.margin == pytest.approx(other.margin, rel=1e-9)
        return
    assert one.s_inf_norm == pytest.approx(other.s_inf_norm, rel=1e-8)
    assert one.positive_fraction == other.positive_fraction
    assert (one.positive_mean is None) == (other.positive_mean is None)
    if one.positive_mean is not None:
        assert one.positive_mean == pytest.approx(other.positive_mean, rel=1e-8)
    if one.direction is not None:
        assert one.direction == pytest.approx(other.direction, abs=1e-8 * one.s_inf_norm)


@pytest.mark.parametrize(
    ("n_points", "d", "sigma"),
    [(40, 16, 5.0), (40, 19, 1.0), (60, 33, 1e-3), (200, 94, 1.0), (20, 30, 1.0), (5, 1, 1.0)],
)
def test_agrees_with_one_at_a_time(n_points, d, sigma):
    def draw(realization):
        return sigma * np.random.default_rng(realization).standard_normal((n_points, d))

    realizations = list(range(30))
    found = assess_batched(
        draw, realizations, shape=(n_points, d), margin=True, largest=16, drawing_threads=2
    )
    for realization, result in zip(realizations, found, strict=True):
        agree(result, assess(draw(realization), margin=True))


def test_near_critical_sets_need_no_help_from_the_host():
    rng = np.random.default_rng(5)
    for shape in ((600, 30, 14), (20, 400, 196)):
        found = dict(batched.limit_directions(torch.from_numpy(rng.standard_normal(shape))))
        assert sorted(found) == list(range(shape[0]))
        assert all(f.status is not batched.Status.UNDECIDED for f in found.values())
        assert max(f.iterations for f in found.values()) <= 30


def test_undecided_sets_go_to_the_host():
    square = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    sets = {
        0: square,
        1: square * [[1, 1], [1, 1], [1, 1], [1, 0]],  # a point at the origin, on the boundary
        2: np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.5, 1.0]]),  # origin on an edge
        3: square + np.array([2.0, 0.0]),  # origin outside
        4: square[[0, 1, 0, 1]],  # rank 1
        5: np.zeros((4, 2)),
    }
    found = assess_batched(sets.get, list(sets), shape=(4, 2), margin=True)
    for k, points in sets.items():
        agree(found[k], assess(points, margin=True))
    assert [f.separable for f in found] == [False, False, False, True, False, False]
    assert [f.s_inf_norm for f in found[1:3]] == [np.inf, np.inf]


def test_sets_are_handed_over_as_they_are_decided(monkeypatch):
    steps = []
    newton_step = batched._newton_step
    monkeypatch.setattr(
        batched, "_newton_step", lambda batch: steps.append(0) or newton_step(batch)
    )
    points = np.random.default_rng(5).standard_normal((40, 60, 28))
    handed_over = [
        (len(steps), one) for _, one in batched.limit_directions(torch.from_numpy(points))
    ]
    first, last = handed_over[0][0], handed_over[-1][0]
    assert first < last == len(steps)
    # At least every second one of those that are decided so far.
    for step in range(first, last):
        decided = sum(one.iterations <= step for _, one in handed_over)
        assert sum(count <= step for count, _ in handed_over) >= decided / 2


def test_of_sets_that_are_left_only_points_and_factor_are_kept(monkeypatch):
    used = []
    line_minimum = batched._line_minimum

    def watched(outputs, *args):
        used.append((len(outputs), device.used))
        return line_minimum(outputs, *args)

    monkeypatch.setattr(batched, "_line_minimum", watched)
    n, d = 160, 70
    points = torch.from_numpy(np.random.default_rng(5).standard_normal((8, n, d)))
    with FarDevice() as device:
        list(batched.limit_directions(points.to(NAME)))
    assert used[0][0] == 8 and used[-1][0] <= 4
    assert all(taken < 8 * sets * (n * d + 1.8 * d * d) for sets, taken in used)


def test_a_set_that_does_not_span_the_space_is_searched_with_a_ridge():
    points = np.random.default_rng(3).standard_normal((4, 12, 9))
    points[:, :, -1] = 0.0
    found = dict(batched.limit_directions(torch.from_numpy(points)))
    for position, one in found.items():
        separable = assess(points[position], margin=False).separable
        assert one.status is (batched.Status.SEPARATING if separable else batched.Status.UNDECIDED)
        assert np.isfinite(one.direction).all()
    assert batched.Status.SEPARATING in {one.status for one in found.values()}


def test_results_do_not_depend_on_the_batch():
    def draw(realization):
        return np.random.default_rng(realization).standard_normal((50, 24))

    together = assess_batched(draw, range(12), shape=(50, 24))
    apart = assess_batched(draw, range(12), shape=(50, 24), largest=1)
    for one, other in zip(together, apart, strict=True):
        assert one.certificate == other.certificate
        assert one.iterations == other.iterations
        if not one.separable:
            assert one.s_inf_norm == pytest.approx(other.s_inf_norm, rel=1e-9)


def test_out_of_memory_halves_the_batch_and_goes_on(monkeypatch, caplog):
    solve = batched.limit_directions

    def small_device(points):
        if len(points) > 3:
            raise torch.OutOfMemoryError("out of memory")
        return solve(points)

    def draw(realization):
        return np.random.default_rng(realization).standard_normal((20, 8))

    monkeypatch.setattr(batched, "limit_directions", small_device)
    with caplog.at_level(logging.WARNING):
        found = assess_batched(draw, range(20), shape=(20, 8), largest=10)
    assert [record.getMessage() for record in caplog.records] == [
        "out of memory on cpu with 10 realizations: 5 now",
        "out of memory on cpu with 5 realizations: 1 now",  # and 1 for the second batch too
    ]
    assert len(found) == 20
    for realization, result in enumerate(found):
        assert result.separable == assess(draw(realization), margin=False).separable


def test_a_set_too_large_for_the_device_says_so(monkeypatch):
    def full_device(points):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(batched, "limit_directions", full_device)
    with pytest.raises(torch.OutOfMemoryError):
        assess_batched(lambda k: np.eye(3), range(4), shape=(3, 3))


def test_no_realizations_no_results():
    assert assess_batched(lambda k: np.eye(2), [], shape=(2, 2)) == []


def test_results_come_as_batches_are_done():
    drawn = []

    def draw(realization):
        drawn.append(realization)
        return np.random.default_rng(realization).standard_normal((20, 8))

    found = batched.assess_batched(
        draw, range(20), shape=(20, 8), margin=False, batches=FittingBatches("cpu", 1.0, 5)
    )
    assert drawn == []
    realization, first = next(found)
    found.close()
    # The batch at work, and the one drawn meanwhile; no realization beyond.
    assert set(range(5)) <= set(drawn) <= set(range(10))
    assert first.separable == assess(draw(realization), margin=False).separable


@pytest.mark.parametrize(
    ("points", "message"),
    [(np.full((2, 2), np.nan), "point 0 has norm nan"), (np.eye(3), r"is not the points' shape")],
)
def test_bad_points_are_refused(points, message):
    with pytest.raises(ValueError, match=message):
        assess_batched(lambda k: points, range(3), shape=(2, 2))
