"""Run the benchmarks: ``python -m benchmarks [group …]``."""

import argparse
import sys
import time
from pathlib import Path

from benchmarks import drawing, logistic, report, separability, teacher_student, workflow

GROUPS = {
    "logistic": logistic.rows,
    "teacher_student": teacher_student.rows,
    "separability": separability.rows,
    "drawing": drawing.rows,
    "workflow": workflow.rows,
}
LONG = {"figures": workflow.figures}
"""Run only if named: making all figures from nothing takes minutes."""

HERE = Path(__file__).parent


def main() -> int:
    """Measure the groups asked for (all short ones by default) and write the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="group", help=", ".join(GROUPS | LONG))
    options = parser.parse_args()
    everything = GROUPS | LONG
    unknown = [name for name in options.groups if name not in everything]
    if unknown:
        parser.error(f"no group {', '.join(unknown)}; there are {', '.join(everything)}")
    where = report.machine()
    print(where)
    started = time.monotonic()
    rows = []
    for name in options.groups or GROUPS:
        for row in everything[name]():
            rows.append(row)
            print(report.text([row]), flush=True)
    print(f"{time.monotonic() - started:.0f} s; wrote {report.write_csv(rows, HERE / 'results')}")
    if set(GROUPS) <= set(options.groups or GROUPS):
        notes = (HERE / "notes.md").read_text()
        report.write_markdown(rows, HERE.parent / "docs" / "benchmarks.md", where, notes)
    return 0


sys.exit(main())
