"""Queries in a read-only folder, although Snakemake wants to write its own records there."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

NOTES = Path(".snakemake")
_READ = ("metadata", "incomplete")


def is_read_only() -> bool:
    """Return whether Snakemake cannot write its records in the working directory."""
    return not os.access(NOTES if NOTES.exists() else Path(), os.W_OK)


def view() -> Path:
    """Return a temporary view of the working directory in which Snakemake can write its records.

    It consists of symbolic links and is deleted when the program ends.
    """
    folder, here = Path(tempfile.mkdtemp()), Path.cwd()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / NOTES).mkdir()
    shown = [name for name in os.listdir(here) if name != NOTES.name]
    shown += [NOTES / name for name in _READ if (here / NOTES / name).exists()]
    for name in shown:
        (folder / name).symlink_to(here / name)
    return folder
