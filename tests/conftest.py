"""Fixtures shared by several folders: results that are made once and must not be changed."""

import shapes_checked  # noqa: F401, I001  (before the package is imported)
import fcntl
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from linear_grokking.config import load_merged
from linear_grokking.results.identity import canonical
from linear_grokking.workflow.plan import Plan, read, targets
from linear_grokking.workflow.steps.block import train_block
from linear_grokking.workflow.steps.figures import tabulate_figure
from linear_grokking.workflow.steps.manifest import list_runs
from linear_grokking.workflow.steps.summarize import summarize_run

CONFIG = Path(__file__).parents[1] / "config"


LONGEST = (
    *("slurm/test_faults", "workflow/test_interruption", "workflow/test_shown_commands"),
    *("slurm", "workflow", "report", "unit/theory/test_mutations"),
    "unit/workflow/test_block_resume",
)
"""Folders and files whose tests take longest or mostly wait.  They come first: one of them at the
end would leave the other workers idle.  Tests on a cluster mostly wait, and run best beside tests
that compute: the first worker gets most of them, after the longest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest."""

    def rank(item: pytest.Item) -> int:
        name = item.path.relative_to(Path(__file__).parent).as_posix()
        return next((k for k, each in enumerate(LONGEST) if name.startswith(each)), len(LONGEST))

    items.sort(key=rank)


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Give a folder by its name; the first worker that asks for it fills it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def folder(name: str, fill: Callable[[Path], object]) -> Path:
        root = shared / name
        with open(shared / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not root.exists():
                unfinished = shared / f"{name}.unfinished"
                unfinished.mkdir()
                fill(unfinished)
                unfinished.rename(root)
        return root

    return folder


@pytest.fixture(scope="session")
def make() -> Callable[[Plan], None]:
    """Give the function that makes a plan's results in one process, as the rules' scripts do."""
    return _make


def _make(plan: Plan) -> None:
    """Train, summarize and tabulate everything in a plan; no pictures."""
    _train(plan)
    for run_id in plan.runs:
        _do(plan, summarize_run, targets.summary(plan, run_id))
    _do(plan, list_runs, targets.manifest(plan))
    for figure_id in plan.config.figures:
        _do(plan, tabulate_figure, targets.table(plan, figure_id))


@pytest.fixture(scope="session")
def train() -> Callable[[Plan], None]:
    """Give the function that makes a plan's blocks in one process, and nothing else."""
    return _train


def _train(plan: Plan) -> None:
    for run_id in plan.runs:
        for name in plan.block_files(run_id):
            target = targets.block(plan, run_id, Path(name).stem)
            train_block(target.request, [plan.root / name], device="cpu", threads=1)


def _do(plan: Plan, step: Callable[..., None], target: targets.Target) -> None:
    # As a rule's script reads it from standard input.
    request = json.loads(canonical(target.request))
    step(request, [plan.root / name for name in target.outputs], plan.root)


@pytest.fixture(scope="session")
def smoke(once: Callable[..., Path], make: Callable[[Plan], None]) -> tuple[Path, Plan]:
    """Return the folder of all results of the smoke configuration, without pictures, and its plan.

    Nothing on the way may warn: overflow and underflow must be handled.
    """
    config = read(load_merged([CONFIG / "config.yaml", CONFIG / "smoke.yaml"]))

    def fill(folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            make(Plan(config, folder))

    root = once("smoke", fill)
    return root, Plan(config, root)
