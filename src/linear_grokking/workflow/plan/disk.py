"""Files on disk, judged by their contents: made by the present plan, by another one, or damaged.

Neither a file's time stamp nor Snakemake's records decide this.  Only `set_aside` changes files.
"""

import math
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from linear_grokking.results.places import MANIFEST
from linear_grokking.results.storage import DamagedError, is_made_of, unreadable


class Disk:
    """The results in a folder.

    Parameters
    ----------
    root
        Folder that holds results/ and figures/.
    trusted
        Whether to take every file for what its name says, because another process has checked it.

    Attributes
    ----------
    damaged
        What is wrong with those of the checked files that cannot be what their names say.
    """

    def __init__(self, root: Path, *, trusted: bool = False):
        self.damaged: dict[Path, str] = {}
        self._root = root
        self._trusted = trusted
        self._outdated: dict[tuple[str, str], bool] = {}

    def outdated(self, name: str, digest: str, schema: pa.Schema | None = None) -> bool:
        """Return whether a file exists but is not what it should be, so that it is made again.

        Parameters
        ----------
        digest
            Digest that the file must have (`workflow.made_of`).
        schema
            Schema that a Parquet file must have; None accepts any.

        Raises
        ------
        StorageError
            If the system could not read the file.
        """
        key = name, digest
        if key not in self._outdated:
            self._outdated[key] = not self._trusted and self._judge(name, digest, schema)
        return self._outdated[key]

    def set_aside(self, say: Callable[[str], None]) -> None:
        """Rename damaged files, so that they are made again and nothing is lost.

        ``0-99.parquet`` becomes ``0-99.parquet.damaged``.
        """
        for path, reason in self.damaged.items():
            say(f"{path}: {reason}; set aside as {path.name}.damaged, making it again")
            path.replace(path.with_name(path.name + ".damaged"))
        self.damaged.clear()

    @cached_property
    def _whole_before(self) -> float:
        """When the manifest was made: files older than it were whole then and are not read again.

        Not looked up before the first file is judged, when Snakemake has locked the folder.
        """
        return _time(self._root / MANIFEST) or -math.inf

    def _judge(self, name: str, digest: str, schema: pa.Schema | None) -> bool:
        path = self._root / name
        time = _time(path)
        if time is None:
            return False
        try:
            right = is_made_of(path, digest, schema=schema, whole=time >= self._whole_before)
        except DamagedError as error:
            self.damaged[path] = error.reason
            return True
        # Only blocks have a schema, and the digest of a block is in its path.
        if schema is not None and not right:
            self.damaged[path] = "holds a different run from the one in its name"
        return not right


def _time(path: Path) -> float | None:
    """Return when a file was last written, in seconds, or None if it does not exist."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, error) from None
