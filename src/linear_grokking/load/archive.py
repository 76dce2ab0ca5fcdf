"""Results in an archive made by `snakemake archive`, read without unpacking it."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from linear_grokking.load import frames
from linear_grokking.results.places import CONFIGURATION, METADATA
from linear_grokking.results.storage import StorageError, reading, unreadable


def open_archive(path: str | Path) -> "Archive":
    """Open an archive of results; its contents are read on demand.

    Raises
    ------
    linear_grokking.errors.LinearGrokkingError
        If the file cannot be read or is not an archive of this project.  The message is one line
        and names the file.
    """
    path = Path(path)
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise unreadable(path, error) from None
    except (zipfile.BadZipFile, NotImplementedError):
        raise StorageError(path, "is not a complete ZIP file") from None
    missing = {METADATA, CONFIGURATION, frames.MANIFEST} - set(archive.namelist())
    if missing:
        archive.close()
        reason = f"was not made by `snakemake archive`: it lacks {', '.join(sorted(missing))}"
        raise StorageError(path, reason)
    return Archive(archive)


class Archive:
    """Results in one file: the loaders of `load`, except those that read blocks.

    The file stays open until `close` is called or the ``with`` block ends.
    """

    def __init__(self, archive: zipfile.ZipFile):
        self._archive = archive
        self._root = zipfile.Path(archive)

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._archive.close()

    def runs(self) -> pd.DataFrame:
        """Return the manifest, as `load.runs`."""
        return frames.runs(self._root)

    def claims(self) -> pd.DataFrame:
        """Return the claims, as `load.claims`."""
        return frames.claims(self._root)

    def table(self, figure: str) -> pd.DataFrame:
        """Return the table of a figure, as `load.table`."""
        return frames.table(figure, self._root)

    def summary(self, name: str | None = None, **parameters: Any) -> pd.DataFrame:
        """Return runs reduced over their realizations, as `load.summary`."""
        return frames.summary(name, root=self._root, **parameters)

    def scalars(self, name: str | None = None, **parameters: Any) -> pd.DataFrame:
        """Return one row per realization, as `load.scalars`."""
        return frames.scalars(name, root=self._root, **parameters)

    def configuration(self) -> dict[str, Any]:
        """Return the merged configuration that the results were made from."""
        return yaml.safe_load(self._read(CONFIGURATION))

    def metadata(self) -> dict[str, Any]:
        """Return the RO-Crate metadata: what was run, when, from which revision, and all files."""
        return json.loads(self._read(METADATA))

    def _read(self, name: str) -> bytes:
        with reading(self._root / name) as file:
            return file.read()
