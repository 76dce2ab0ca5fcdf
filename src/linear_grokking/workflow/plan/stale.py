"""Results that no configuration needs any more: listed, and removed where that is asked for.

Only files that this package's workflow makes are ever named; whatever else lies in
``results`` and ``figures`` is left alone.
"""

import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from linear_grokking.figures.registry import FIGURE_ID
from linear_grokking.results.identity import FOLDERS
from linear_grokking.workflow.plan.planning import Plan

_RUN = re.compile(r"[0-9a-f]{16}")
_OF_A_BLOCK = re.compile(r"\.?\d+-\d+\.(parquet(\..+)?|resume)")
_OF_A_SUMMARY = re.compile(r"([0-9a-f]{16})\.parquet(\.damaged)?")
_OF_A_FIGURE = re.compile(r"([A-Z]+\d+)\.(pdf|png|parquet|csv)(\.damaged)?")


def stale_paths(root: Path, plans: Iterable[Plan]) -> list[Path]:
    """Return what lies under ``root`` and no plan needs: blocks, summaries, figures, tables.

    Files that were set aside as damaged count as stale whatever run they are of.
    """
    plans = list(plans)
    runs = {run_id for plan in plans for run_id in plan.runs}
    figures = {figure_id for plan in plans for figure_id in plan.config.figures}
    return sorted([*_blocks(root, runs), *_summaries(root, runs), *_figures(root, figures)])


def remove(paths: Iterable[Path]) -> None:
    """Remove files and side folders, and the folders of runs that are empty then."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        if _RUN.fullmatch(path.parent.name) and not any(path.parent.iterdir()):
            path.parent.rmdir()


def is_locked(root: Path) -> bool:
    """Tell whether a Snakemake works in a folder, or died there."""
    locks = root / ".snakemake" / "locks"
    return locks.is_dir() and any(locks.iterdir())


def _blocks(root: Path, needed: set[str]) -> Iterator[Path]:
    for kind in FOLDERS.values():
        for folder in _entries(root / "results" / kind):
            if not _RUN.fullmatch(folder.name):
                continue
            for path in _entries(folder):
                unneeded = folder.name not in needed or path.suffix == ".damaged"
                if unneeded and _OF_A_BLOCK.fullmatch(path.name):
                    yield path


def _summaries(root: Path, needed: set[str]) -> Iterator[Path]:
    for folder in ("summaries", "scalars"):
        for path in _entries(root / "results" / folder):
            match = _OF_A_SUMMARY.fullmatch(path.name)
            if match and (match[1] not in needed or match[2]):
                yield path


def _figures(root: Path, needed: set[str]) -> Iterator[Path]:
    for folder in (root / "figures", root / "figures" / "tables"):
        for path in _entries(folder):
            match = _OF_A_FIGURE.fullmatch(path.name)
            if match and FIGURE_ID.fullmatch(match[1]) and (match[1] not in needed or match[3]):
                yield path


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
