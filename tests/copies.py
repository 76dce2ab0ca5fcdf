"""Copies of the workflow in folders of their own, and how they are run."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def copy_workflow(root: Path, source: Path = REPOSITORY) -> None:
    """Copy the files of the workflow, without a configuration and without results.

    What Python and Numba have compiled is copied too, except files that are being written.
    """
    for file in ("Snakefile", "requirements.txt", "pyproject.toml", "LICENSE", "CITATION.cff"):
        shutil.copy(source / file, root)
    skip = shutil.ignore_patterns("*.pyc.*", "*.tmp.*", "*.egg-info")
    for folder in ("workflow", "profiles", "src"):
        shutil.copytree(source / folder, root / folder, ignore=skip)


def environment(root: Path) -> dict[str, str]:
    """Return the environment in which a copy runs its own package, with one thread per process."""
    return os.environ | {
        "PYTHONPATH": str(root / "src"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "XDG_CACHE_HOME": str(root / ".cache"),
    }


def jobs(output: str) -> Iterator[tuple[str, ...]]:
    """Read from Snakemake's messages which jobs started: rule and output files."""
    for rule, body in re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", output, re.MULTILINE):
        files = re.search(r"^    output: (.*)$", body, re.MULTILINE)
        if files:
            yield rule, *files[1].split(", ")
