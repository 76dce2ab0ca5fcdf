"""`linear-grokking watch`: how far a build is, here or on a cluster."""

import argparse
import shutil
import sys
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from linear_grokking.workflow.plan.forecast import aligned
from linear_grokking.workflow.watch.look import SECONDS_BETWEEN_LOOKS, Seen, Sight, State, Watch
from linear_grokking.workflow.watch.pace import duration

_CLEAR = "\x1b[2J\x1b[H"
"""Escape sequence that clears a terminal."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `linear-grokking watch` to a parser."""
    parser.description = (
        "Show the progress of the latest build in a folder: running jobs and how long they "
        "have run, failures, and the time left. It only reads files, so it works on any machine "
        "that sees the folder."
    )
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=Path(),
        help="where Snakemake was started (default: here)",
    )
    parser.add_argument("--once", action="store_true", help="show the state once and exit")


def command(options: argparse.Namespace) -> None:
    """Show the latest build of a folder until it is over, or once if there is no terminal.

    Raises
    ------
    NoBuildError
        If no build was started there.
    """
    looking = Watch(options.folder)
    while True:
        sight = looking.look()
        if options.once or not sys.stdout.isatty():
            print("\n".join(table(sight)))
            return
        width, height = shutil.get_terminal_size()
        lines = table(sight)
        if len(lines) >= height:
            lines = [*lines[: height - 2], f"… and {len(lines) - height + 2} more lines"]
        print(_CLEAR + "\n".join(line[:width] for line in lines), flush=True)
        if sight.over:
            return
        time.sleep(SECONDS_BETWEEN_LOOKS)


def table(sight: Sight) -> list[str]:
    """Return what was seen as lines of text."""
    began = f"{datetime.fromtimestamp(sight.started):%Y-%m-%d %H:%M}"
    total = sum(sight.counts.values())
    counts = [f"{sight.counts[state]} {state}" for state in reversed(State) if sight.counts[state]]
    lines = [f"build of {began}: {total} jobs, {', '.join(counts)}"]
    if sight.counts[State.DONE] == total:
        return [*lines, "all is done"]
    if sight.at_work:
        lines.append(str(sight.pace))
    else:
        lines.append(f"{sight.pace.share:.0%} of the work done; Snakemake is not running here")
    of = {state: [each for each in sight.seen.values() if each.state == state] for state in State}
    if of[State.RUNNING]:
        lines += ["", *_running(of[State.RUNNING])]
    if of[State.FAILED]:
        lines += ["", *_failed(of[State.FAILED])]
    return lines


def _running(jobs: Iterable[Seen]) -> list[str]:
    rows = [["running", "done", "for", "left", "last line"]]
    for each in sorted(jobs, key=lambda seen: -seen.age):
        told = each.progress
        rows.append(
            [
                each.job.name,
                f"{told.done}/{told.total}" if told else "",
                duration(each.age),
                duration(each.left) if each.left is not None else "",
                f"{duration(each.silent)} ago",
            ]
        )
    return aligned(rows, left=1)


def _failed(jobs: Iterable[Seen]) -> list[str]:
    lines = ["failed (Snakemake may try again)"]
    for each in jobs:
        lines += [f"{each.job.name}: {each.line or 'its log is empty'}", f"  {each.job.log}"]
    return lines
