"""The table as text, CSV and Markdown."""

import csv
import os
import platform
from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.rows import Row, Spread
from linear_grokking.runtime.devices import cores

HEADER = ("work", "against", "ours", "theirs", "measured (min–max)", "target", "met", "note")

CSV_COLUMNS = (
    *("work", "baseline", "unit", "target", "at_least", "verdict"),
    *("measured_median", "measured_low", "measured_high"),
    *("ours_median", "ours_low", "ours_high"),
    *("theirs_median", "theirs_low", "theirs_high"),
    "note",
)

PREFACE = """\
# Benchmarks

This page is written by `make bench` (`python -m benchmarks`). The code is in `benchmarks/`, the
baselines, written plainly, in `benchmarks/baselines.py`. Pieces of work that are compared run
alternately; a row shows the median of the rounds with the smallest and the largest value. The
limits of the machine (reading memory by a sum, products of large matrices) are measured in the
same rounds.

These measurements were made without a GPU. Code that runs on one (batched Newton steps, batched
flow) is tested on the CPU in float64 against the computation of one realization at a time; its
speed on a GPU is unknown.

"""


def machine() -> str:
    """Return a line on where and when the numbers were measured."""
    model = platform.processor() or platform.machine()
    for line in _cpu_info():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "torch"))
    return (
        f"{datetime.now():%Y-%m-%d}, {cores()} cores ({model}), Python "
        f"{platform.python_version()}, {libraries}; load average {os.getloadavg()[0]:.1f}"
    )


def _cpu_info() -> Sequence[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else ()


def cells(row: Row) -> tuple[str, ...]:
    """Return a row as text, in the order of `HEADER`."""
    target = ""
    if row.target is not None:
        target = f"{'≥' if row.at_least else '≤'} {_value(row.target, row.unit)}"
    return (
        row.work,
        row.baseline,
        _seconds(row.ours),
        _seconds(row.theirs),
        _measured(row.measured, row.unit),
        target,
        row.verdict,
        row.note,
    )


def _measured(spread: Spread, unit: str) -> str:
    middle = _value(spread.median, unit)
    if spread.low == spread.high:
        return middle
    return f"{middle} ({_value(spread.low, unit)}–{_value(spread.high, unit)})"


def _value(value: float, unit: str) -> str:
    if unit == "of limit":
        return f"{100 * value:.0f} %"
    number = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{number}×" if unit == "x" else f"{number} {unit}".rstrip()


def _seconds(spread: Spread | None) -> str:
    if spread is None:
        return ""
    value = spread.median
    if value < 1:
        return f"{1e3 * value:.3g} ms"
    return f"{value:.3g} s" if value < 1e3 else f"{value:,.0f} s"


def text(rows: Iterable[Row]) -> str:
    """Return the table for a terminal, two lines per row."""
    lines = []
    for row in rows:
        work, against, ours, theirs, measured, target, met, note = cells(row)
        lines.append(f"{work}  [{against}]" if against else work)
        parts = [measured]
        parts += [f"ours {ours}"] if ours else []
        parts += [f"theirs {theirs}"] if theirs else []
        parts += [f"target {target}: {met}"] if target else []
        parts += [note] if note else []
        lines.append("    " + "; ".join(parts))
    return "\n".join(lines)


def write_csv(rows: Iterable[Row], folder: Path) -> Path:
    """Write the table to <date>.csv in a folder, with all digits; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{datetime.now():%Y-%m-%d}.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, CSV_COLUMNS)
        writer.writeheader()
        for row in rows:
            line = {name: getattr(row, name) for name in CSV_COLUMNS if hasattr(row, name)}
            for name in ("measured", "ours", "theirs"):
                spread = getattr(row, name)
                for part in ("median", "low", "high"):
                    line[f"{name}_{part}"] = None if spread is None else getattr(spread, part)
            writer.writerow(line)
    return path


def write_markdown(rows: Iterable[Row], path: Path, where: str, notes: str) -> None:
    """Write the table as a page of the documentation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [" | ".join(("", *HEADER, "")).strip(), "|" + " --- |" * len(HEADER)]
    lines += [" | ".join(("", *cells(row), "")).strip() for row in rows]
    path.write_text(f"{PREFACE}{where}.\n\n" + "\n".join(lines) + f"\n\n{notes}")
