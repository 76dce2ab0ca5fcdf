"""Copies of the workflow in folders of their own, and how they are run."""

import os
import shutil
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def copy_workflow(root: Path, source: Path = REPOSITORY) -> None:
    """Copy what the workflow consists of, without a configuration and nothing that it made.

    What Python and Numba compiled comes along, but for files that are being written.
    """
    for file in ("Snakefile", "requirements.txt", "pyproject.toml", "LICENSE", "CITATION.cff"):
        shutil.copy(source / file, root)
    skip = shutil.ignore_patterns("*.pyc.*", "*.tmp.*", "*.egg-info")
    for folder in ("workflow", "profiles", "src"):
        shutil.copytree(source / folder, root / folder, ignore=skip)


def environment(root: Path) -> dict[str, str]:
    """Return the environment in which a copy runs its own package, on one thread a process."""
    return os.environ | {
        "PYTHONPATH": str(root / "src"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "XDG_CACHE_HOME": str(root / ".cache"),
    }
