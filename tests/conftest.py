"""What tests of several folders share: results that are made once, and not to be changed."""

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import do

from linear_grokking.config import load_merged, read
from linear_grokking.plan import Plan
from linear_grokking.workflow import write_manifest

CONFIG = Path(__file__).parents[1] / "config"


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Give a folder by its name; the first of all workers that asks for it fills it."""
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
def smoke(once: Callable[..., Path]) -> tuple[Path, Plan]:
    """Return all results of the smoke configuration, made in one process, and its plan.

    Of all figures the tables; no pictures.
    """
    config = read(load_merged([CONFIG / "config.yaml", CONFIG / "smoke.yaml"]))
    root = once("smoke", lambda folder: _make(Plan(config, folder)))
    return root, Plan(config, root)


def _make(plan: Plan) -> None:
    root = plan.root
    for run_id, run in plan.runs.items():
        spec = plan.spec(run_id)
        for block in plan.block_files(run_id):
            do("block", spec, root / block, "--realizations", Path(block).stem, "--device", "cpu")
        counts = ("--realizations", run.realizations)
        counts += ("--threshold", plan.config.accuracy_threshold)
        do("summarize", spec, root / run.folder, root / plan.summary_file(run_id), *counts)
    write_manifest(json.loads(plan.manifest()), root, root / plan.manifest_file)
    for figure_id in plan.config.figures:
        table = root / f"figures/tables/{figure_id}.parquet"
        do("tabulate", plan.figure_request(figure_id), table, "--root", root)
