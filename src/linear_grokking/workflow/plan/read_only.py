"""Queries in a folder that may not be written, where Snakemake wants to keep notes all the same."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

NOTES = Path(".snakemake")
_READ = ("metadata", "incomplete")


def is_read_only() -> bool:
    """Tell whether Snakemake could not write its notes in the working directory."""
    return not os.access(NOTES if NOTES.exists() else Path(), os.W_OK)


def view() -> Path:
    """Return a folder that shows all of the working directory, with room for Snakemake's notes.

    It consists of links, and goes when the program ends.
    """
    folder, here = Path(tempfile.mkdtemp()), Path.cwd()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / NOTES).mkdir()
    shown = [name for name in os.listdir(here) if name != NOTES.name]
    shown += [NOTES / name for name in _READ if (here / NOTES / name).exists()]
    for name in shown:
        (folder / name).symlink_to(here / name)
    return folder
