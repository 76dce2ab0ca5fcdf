"""Separability of many sets at once on a device, with torch.

The steps and certificates are those of ``limit_direction`` and ``certificates``, in float64
throughout: the cards this is for multiply float64 matrices about as fast as float32 ones.
All sets of a batch take their Newton steps together; the host asks once per step how many
are left.  Decided sets leave the batch, as results, once they are half of it.  Sets that stay
undecided go to `assess`, one at a time, on the host.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from linear_grokking.runtime.memory import FittingBatches
from linear_grokking.solvers.separability.certificates import (
    curvature_shift,
    encloses,
    norm,
    separates,
)
from linear_grokking.solvers.separability.limit_direction import (
    LINE_ACCURACY,
    LINE_GROWTH,
    LINE_STEPS,
    MAX_ITERATIONS,
    MAX_MULTIPLIER,
    LimitDirection,
    Status,
)
from linear_grokking.solvers.separability.verdict import (
    Separability,
    assess,
    checked_points,
    describe,
    with_box_margin,
)

NEAR = 0.5  # largest |x_i·u| for which the next step tries the certificate
CHORD_RADIUS = 0.1  # largest |x_i·u| from which CHORD_STEPS steps find the minimum
CHORD_STEPS = 8
SETTLED = 1e-8  # change of the outputs in the last of these steps
REFINEMENTS = 2
FIRST_RIDGE, RIDGE_GROWTH, RIDGE_DECAY = 1e-14, 100.0, 0.1  # in units of the trace of B


def assess_batched(
    draw: Callable[[int], np.ndarray],
    realizations: Sequence[int],
    *,
    shape: tuple[int, int],
    margin: bool,
    box: bool = False,
    batches: FittingBatches,
    drawing_threads: int = 1,
) -> Iterator[tuple[int, Separability]]:
    """Assess realizations of equal shape in batches on a device.

    The next batch is drawn while one is solved.  Margins are computed on the host, each when
    its result is asked for.

    Parameters
    ----------
    draw
        Returns the points (N, d) of a realization, all labelled -1; called from other
        threads.
    realizations
        Which realizations to assess.
    shape
        (N, d).
    margin, box
        Whether to compute the margins of separable sets, and those in the box |S_j| ≤ 1.
    batches
        Where to compute, and how many realizations at a time.
    drawing_threads
        How many realizations are drawn at a time.

    Yields
    ------
    realization, Separability
        In the order in which they are decided; verdicts, limits and margins agree with
        `assess` to its accuracy.

    Raises
    ------
    ValueError, UndecidedError, MarginError
        As `assess`.
    torch.OutOfMemoryError
        If a single realization does not fit.
    """
    cut = batches.cut(realizations)
    with ThreadPoolExecutor(drawing_threads) as pool:
        drawn = _drawn_ahead(draw, shape, cut, pool, pinned=batches.device.type == "cuda")
        for batch, points in zip(cut, drawn, strict=True):
            yield from _assess_drawn(batch, points, margin=margin, box=box, batches=batches)


def _assess_drawn(
    realizations: Sequence[int],
    points: torch.Tensor,
    *,
    margin: bool,
    box: bool,
    batches: FittingBatches,
) -> Iterator[tuple[int, Separability]]:
    """Yield each realization with its result; the points are (R, N, d), on the host."""
    position = {realization: k for k, realization in enumerate(realizations)}

    def on_device(part: Sequence[int]) -> Iterator[tuple[int, LimitDirection]]:
        start = position[part[0]]
        its_points = points[start : start + len(part)].to(batches.device, non_blocking=True)
        found = limit_directions(its_points)
        del its_points  # only the search holds them now, and it lets go of decided sets
        return ((part[k], one) for k, one in found)

    for realization, one in batches.run(realizations, on_device):
        its_points = points[position[realization]].numpy()
        if one.status is Status.UNDECIDED:
            decided = assess(its_points, margin=margin)
        else:
            decided = describe(its_points, one, margin=margin)
        yield realization, with_box_margin(decided, its_points) if box else decided


def _drawn_ahead(
    draw: Callable[[int], np.ndarray],
    shape: tuple[int, int],
    blocks: Sequence[Sequence[int]],
    pool: ThreadPoolExecutor,
    *,
    pinned: bool,
) -> Iterator[torch.Tensor]:
    """Yield each block's points (R, N, d) on the host, and draw the next block meanwhile."""

    def fill(out: np.ndarray, realization: int) -> None:
        points, _ = checked_points(draw(realization))
        if points.shape != out.shape:
            raise ValueError(f"shape: {shape} is not the points' shape {points.shape}")
        np.copyto(out, points)

    def start(block: Sequence[int]) -> tuple[torch.Tensor, list[Future]]:
        batch = torch.empty((len(block), *shape), dtype=torch.float64, pin_memory=pinned)
        return batch, [pool.submit(fill, *pair) for pair in zip(batch.numpy(), block, strict=True)]

    ahead = [start(block) for block in blocks[:1]]
    for k in range(len(blocks)):
        batch, tasks = ahead.pop()
        for task in tasks:
            task.result()
        ahead = [start(block) for block in blocks[k + 1 : k + 2]]
        yield batch


@dataclass
class _Batch:
    """Sets that are iterated together; all tensors have the batch as their leading axis."""

    index: torch.Tensor
    """(R,) position in the full batch."""
    points: torch.Tensor
    """(R, N, d)"""
    point_norms: torch.Tensor
    """(R, N)"""
    direction: torch.Tensor
    """(R, d)"""
    running: torch.Tensor
    """(R,) which sets are still iterated."""
    status: torch.Tensor
    """(R,) values of `Status`."""
    iterations: torch.Tensor
    """(R,) Newton steps until the verdict."""
    ridge: torch.Tensor
    """(R,) added to B in units of its trace, unless the certificate is tried."""
    certifying: torch.Tensor
    """(R,) where the next step tries the certificate."""

    def select(self, rows: torch.Tensor) -> "_Batch":
        return _Batch(*(tensor[rows] for tensor in vars(self).values()))


def limit_directions(points: torch.Tensor) -> Iterator[tuple[int, LimitDirection]]:
    """Find S_∞, or a separating direction, of each set of a batch.

    Parameters
    ----------
    points : (R, N, d), float64
        Points x_i of each set, all labelled -1, on any device.

    Yields
    ------
    position, LimitDirection
        Sets as they are decided, and the undecided ones at the end.
    """
    n_sets, _, d = points.shape
    integers: dict[str, Any] = {"dtype": torch.int64, "device": points.device}
    batch = _Batch(
        index=torch.arange(n_sets, **integers),
        points=points,
        point_norms=norm(points),
        direction=points.new_zeros(n_sets, d),
        running=torch.ones(n_sets, dtype=torch.bool, device=points.device),
        status=torch.full((n_sets,), int(Status.UNDECIDED), **integers),
        iterations=torch.zeros(n_sets, **integers),
        ridge=points.new_zeros(n_sets),
        certifying=torch.zeros(n_sets, dtype=torch.bool, device=points.device),
    )
    del points
    for _ in range(MAX_ITERATIONS):
        running = _newton_step(batch)
        if running <= len(batch.index) // 2:
            # Indexing with a mask would make the host count its entries, and wait.
            order = torch.argsort(batch.running.to(torch.int64), descending=True, stable=True)
            yield from _results(batch, order[running:])
            if running == 0:
                return
            batch = batch.select(order[:running])
    yield from _results(batch, slice(None))


def _results(batch: _Batch, rows: torch.Tensor | slice) -> Iterator[tuple[int, LimitDirection]]:
    """Yield positions and results of some sets of a batch, after one transfer."""
    numbers = torch.stack([batch.index, batch.status, batch.iterations], dim=-1)
    found = torch.cat([numbers.to(torch.float64), batch.direction], dim=-1)[rows].cpu().numpy()
    for row in found:
        position, status, iterations = row[:3].astype(int).tolist()
        yield position, LimitDirection(Status(status), row[3:], iterations)


def _newton_step(batch: _Batch) -> int:
    """Advance the sets of a batch that are still running; return how many are left."""
    _, n_points, d = batch.points.shape
    running = batch.running
    outputs = _outputs(batch.points, batch.direction)
    weights = torch.softmax(outputs, dim=-1)
    gradient = _combine(weights, batch.points)

    weighted = batch.points * torch.sqrt(weights)[..., None]
    matrix = weighted.mT @ weighted
    del weighted
    diagonal = matrix.diagonal(dim1=-2, dim2=-1)
    trace = diagonal.sum(dim=-1)
    shift = curvature_shift(trace, n_points, d)
    diagonal += torch.where(batch.certifying, -shift, batch.ridge * trace)[:, None]
    factor, info = torch.linalg.cholesky_ex(matrix)
    del matrix, diagonal  # the diagonal is a view, and would keep the matrix
    sound = info == 0
    certifying = batch.certifying & sound

    # An unsound factor may give NaN: its step is set to 0 before anything is multiplied with it.
    step = torch.where(sound[:, None], _solve_with(factor, gradient), 0.0)
    for _ in range(REFINEMENTS):
        residual = _residual(weights, _outputs(batch.points, step), batch.points)
        correction = _solve_with(factor, residual)
        step = torch.where(certifying[:, None], step + correction, step)
    step_outputs = _outputs(batch.points, step)
    enclosed = certifying & encloses(
        weights=weights,
        step_outputs=step_outputs,
        residual=_residual(weights, step_outputs, batch.points),
        shift=shift,
        point_norms=batch.point_norms,
        step_norm=norm(step),
        d=d,
    )
    by_iterate = running & separates(outputs, batch.point_norms, norm(batch.direction), d)
    by_step = running & sound & separates(-step_outputs, batch.point_norms, norm(step), d)
    largest = torch.abs(step_outputs).amax(dim=-1)
    finishing = running & enclosed & (largest < CHORD_RADIUS)
    separated = by_iterate | by_step

    # A step along the line where the factor is sound; a full one towards the end.
    decrement = torch.sum(gradient * step, dim=-1)
    multiplier = torch.where(finishing, 1.0, _line_minimum(outputs, step_outputs, decrement))
    multiplier = torch.where(running & sound & ~separated, multiplier, 0.0)
    moved = batch.direction - multiplier[:, None] * step
    batch.direction = torch.where((by_step & ~by_iterate)[:, None], -step, moved)
    grown = torch.clamp(batch.ridge * RIDGE_GROWTH, min=FIRST_RIDGE)
    batch.ridge = torch.where(sound | batch.certifying, RIDGE_DECAY * batch.ridge, grown)
    batch.certifying = sound & (largest < NEAR)
    batch.iterations += running

    batch.status = torch.where(separated, int(Status.SEPARATING), batch.status)
    batch.running = running & ~separated & ~finishing
    n_running, n_finishing = torch.stack([batch.running.sum(), finishing.sum()]).tolist()
    if n_finishing:
        settled = finishing & _settle(batch, factor, finishing)
        batch.status = torch.where(settled, int(Status.ENCLOSED), batch.status)
    return n_running


def _settle(batch: _Batch, factor: torch.Tensor, finishing: torch.Tensor) -> torch.Tensor:
    """Take the last steps with a fixed factor; tell where they have converged (R,)."""
    size = torch.empty_like(batch.ridge)
    for _ in range(CHORD_STEPS):
        weights = torch.softmax(_outputs(batch.points, batch.direction), dim=-1)
        step = _solve_with(factor, _combine(weights, batch.points))
        size = torch.abs(_outputs(batch.points, step)).amax(dim=-1)
        batch.direction = torch.where(finishing[:, None], batch.direction - step, batch.direction)
    return size < SETTLED


def _line_minimum(
    outputs: torch.Tensor, step_outputs: torch.Tensor, decrement: torch.Tensor
) -> torch.Tensor:
    """Return (R,) multipliers near the minimum on each set's line, all at lower values.

    As `limit_direction._line_minimum`, without leaving the loop early.
    """
    start = torch.logsumexp(outputs, dim=-1)
    low = torch.zeros_like(decrement)
    high = torch.full_like(decrement, torch.inf)
    t = 1.0 / torch.clamp(1.0 - decrement, min=0.5)
    accepted = torch.zeros_like(decrement, dtype=torch.bool)
    for _ in range(LINE_STEPS):
        moved = outputs - t[:, None] * step_outputs
        p = torch.softmax(moved, dim=-1)
        slope = -torch.sum(p * step_outputs, dim=-1)
        curvature = torch.sum(p * step_outputs**2, dim=-1) - slope**2
        lower = torch.logsumexp(moved, dim=-1) < start
        accepted |= (torch.abs(slope) <= LINE_ACCURACY * decrement) & lower
        accepted |= (slope < 0.0) & (t >= MAX_MULTIPLIER)
        low = torch.where(~accepted & (slope < 0.0), t, low)
        high = torch.where(~accepted & (slope >= 0.0), t, high)
        grown = LINE_GROWTH * t
        newton = t - slope / torch.clamp(curvature, min=torch.finfo(t.dtype).tiny)
        inside = (newton > low) & (newton < torch.minimum(high, grown))
        other = torch.where(torch.isinf(high), grown, 0.5 * (low + high))
        t = torch.where(accepted, t, torch.where(inside, newton, other))
    return torch.where(accepted, t, low)


def _outputs(points: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    return (points @ directions[..., None])[..., 0]


def _combine(weights: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    return (weights[..., None, :] @ points)[..., 0, :]


def _residual(
    weights: torch.Tensor, step_outputs: torch.Tensor, points: torch.Tensor
) -> torch.Tensor:
    return _combine(weights * (1.0 - step_outputs), points)


def _solve_with(factor: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    return torch.cholesky_solve(vectors[..., None], factor)[..., 0]
