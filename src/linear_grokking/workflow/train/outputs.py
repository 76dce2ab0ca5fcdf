"""The files of a run: written all together once it has ended well, and not before."""

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
    """The files that a run will write.

    Attributes
    ----------
    folder
        Folder of the history and the checkpoints.
    json
        JSON file, or None.
    """

    folder: Path
    json: Path | None

    @property
    def history(self) -> Path:
        """The file of the history."""
        return self.folder / HISTORY

    def check(self, *, force: bool) -> None:
        """Refuse to overwrite an earlier run's files, and to write where that is impossible.

        Raises
        ------
        ValueError
            With one line that names the file.
        """
        replaced = [self.history, *sorted(self.folder.glob(PATTERN))]
        check_place("output", self.folder, within=replaced, force=force)
        if self.json is not None:
            json, folder = self.json.resolve(), self.folder.resolve()
            if json == self.history.resolve():
                raise ValueError(f"--json {self.json}: is the same file as the history")
            if json.parent == folder and json.match(PATTERN):
                raise ValueError(f"--json {self.json}: has the name of a checkpoint")
            check_place("json", self.json, force=force)
            if json == folder or json in folder.parents:
                raise ValueError(f"--json {self.json}: is to be the folder of the run's files")

    @contextmanager
    def staged(self) -> Iterator[Path]:
        """Provide a temporary folder to write into; move its files into place if all goes well.

        Checkpoints of an earlier run are deleted first, so that none remain among the new ones.
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
