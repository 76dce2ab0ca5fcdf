"""Where a run's files go: all of them when it has ended well, none of them before."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from linear_grokking.runtime.files import check_place, existing
from linear_grokking.workflow.train.checkpoints import PATTERN

HISTORY = "0-0.parquet"
"""Realization 0, named as the workflow names a block."""


@dataclass(frozen=True)
class Outputs:
    """The files that a run is to write.

    Attributes
    ----------
    folder
        Folder of history and checkpoints.
    json
        JSON file, or None.
    """

    folder: Path
    json: Path | None

    @property
    def history(self) -> Path:
        """The history's file."""
        return self.folder / HISTORY

    def check(self, *, force: bool) -> None:
        """Refuse to write over an earlier run's files, or where nothing can be written.

        Raises
        ------
        ValueError
            Naming the file, in one line.
        """
        replaced = [self.history, *sorted(self.folder.glob(PATTERN))]
        check_place("output", self.folder, within=replaced, force=force)
        if self.json is not None:
            if self.json.resolve() == self.history.resolve():
                raise ValueError(f"--json {self.json}: is where the history goes")
            check_place("json", self.json, force=force)

    @contextmanager
    def staged(self) -> Iterator[Path]:
        """Give a folder to write into; move what it holds to its place if all goes well.

        Checkpoints of an earlier run go first, so that none are left among the new ones.
        """
        staging = Path(tempfile.mkdtemp(dir=existing(self.folder), prefix=".linear-grokking-"))
        try:
            yield staging
            self.folder.mkdir(parents=True, exist_ok=True)
            for earlier in self.folder.glob(PATTERN):
                earlier.unlink()
            for made in staging.iterdir():
                os.replace(made, self.folder / made.name)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
