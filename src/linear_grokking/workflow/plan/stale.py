"""`linear-grokking clean-stale`: results that no configuration needs any more.

It lists only files that this package's workflow makes, and leaves everything else in ``results``
and ``figures`` alone.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from linear_grokking.config import MAIN, ConfigurationError, load_merged, main_file
from linear_grokking.errors import LinearGrokkingError
from linear_grokking.figures.registry import FIGURE_ID
from linear_grokking.results.identity import FOLDERS, RUN_ID
from linear_grokking.results.places import ARCHIVE, CLAIMS, DOES_X_HELP, MANIFEST, REPORT
from linear_grokking.runtime.files import unfinished
from linear_grokking.workflow.plan import noted_configurations
from linear_grokking.workflow.plan.configuration import read
from linear_grokking.workflow.plan.planning import Plan

_PLACES = ("results/*/*/*", "results/*/*", "results/*", "figures/*", "figures/tables/*")
_MADE_HERE = re.compile(
    rf"results/(?:{'|'.join(FOLDERS.values())})/({RUN_ID.pattern})/"
    r"(?:\d+-\d+\.parquet|\.\d+-\d+\.resume)"
    rf"|results/(?:summaries|scalars)/({RUN_ID.pattern})\.parquet"
    rf"|figures/(?:tables/)?({FIGURE_ID.pattern})\.(?:pdf|svg|png|parquet|csv)"
)
"""Paths that the workflow writes; the groups match the run or figure to which a file belongs."""
_OF_ALL = (MANIFEST, *CLAIMS, *DOES_X_HELP, REPORT, ARCHIVE)
"""Files that it writes for all runs together, which never become stale."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `linear-grokking clean-stale` to a parser."""
    parser.description = (
        "List results that no configuration needs any more: neither the present "
        "config/config.yaml nor any configuration recorded in results/configurations. Records "
        "that are no longer needed can be deleted."
    )
    parser.add_argument("--remove", action="store_true", help="also remove these results")


def command(options: argparse.Namespace) -> None:
    """List what is stale in the working directory, and remove it if requested.

    Raises
    ------
    LinearGrokkingError, ValueError, OSError
        With a message of one line; nothing was removed, unless the removal itself failed.
    """
    root, main, noted = Path(), str(main_file()), noted_configurations.read(Path())
    # A workflow that uses this one as a module records no configuration.
    if options.remove and not (noted or MAIN.exists()):
        raise LinearGrokkingError(
            f"there is neither {MAIN} nor a file in {noted_configurations.FOLDER}, which would "
            "say what is needed here; nothing was removed"
        )
    plans = {main: Plan(read(load_merged([main_file()])))}
    for path, (sources, raw) in noted.items():
        # The main file may have been edited since; its present state counts (see above).
        if sources != [main]:
            try:
                plans[f"{' '.join(sources)} ({path})"] = Plan(read(raw))
            except ConfigurationError as error:
                raise ConfigurationError(f"{path}: {error}") from None
    for source, plan in plans.items():
        print(f"needed by {source}: {len(plan.runs)} runs", file=sys.stderr)
    found = stale_paths(root, plans.values())
    for path in found:
        print(path)
    if options.remove:
        if is_locked(root):
            raise LinearGrokkingError(
                "Snakemake is running here, or was killed (.snakemake/locks); nothing was removed"
            )
        remove(found)
    print(f"{len(found)} stale, {'removed' if options.remove else 'kept'}", file=sys.stderr)


def stale_paths(root: Path, plans: Iterable[Plan]) -> list[Path]:
    """Return the blocks, summaries, figures and tables under ``root`` that no plan needs.

    Files set aside as damaged, and what killed jobs left behind (unfinished files, side folders of
    blocks that are there, or that are cut differently now), always count as stale, whatever run
    they belong to.
    """
    plans = list(plans)
    needed = {name for plan in plans for name in (*plan.runs, *plan.config.figures)}
    stale = []
    for path in chain.from_iterable(map(root.glob, _PLACES)):
        left_of = path.with_suffix("") if path.suffix == ".damaged" else unfinished(path)
        name = (left_of or path).relative_to(root)
        made = _MADE_HERE.fullmatch(name.as_posix())
        if left_of:
            of_all = name.as_posix() in _OF_ALL or name.parent == Path(noted_configurations.FOLDER)
            stale += [path] if made or of_all else []
        elif made and (needed.isdisjoint(made.groups()) or _is_left_behind(path, root, plans)):
            stale.append(path)
    return sorted(stale)


def _is_left_behind(path: Path, root: Path, plans: Iterable[Plan]) -> bool:
    """Return whether this is a side folder, ``.0-99.resume``, that no job will go on from."""
    if path.suffix != ".resume":
        return False
    block, run_id = path.with_name(f"{path.stem[1:]}.parquet"), path.parent.name
    name = block.relative_to(root).as_posix()
    awaited = (name in plan.block_files(run_id) for plan in plans if run_id in plan.runs)
    return block.exists() or not any(awaited)


def remove(paths: Iterable[Path]) -> None:
    """Remove files and side folders, and the folders of runs that become empty."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        if RUN_ID.fullmatch(path.parent.name) and not any(path.parent.iterdir()):
            path.parent.rmdir()


def is_locked(root: Path) -> bool:
    """Return whether a Snakemake is working in a folder, or died there."""
    locks = root / ".snakemake" / "locks"
    return locks.is_dir() and any(locks.iterdir())
