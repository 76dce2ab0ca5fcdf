"""The rows of a run, from the files of its blocks."""

from contextlib import suppress
from pathlib import Path

import numpy as np

from linear_grokking.results.identity import Block, blocks, blocks_in
from linear_grokking.results.storage import DamagedError, in_numpy, is_made_of, read_table


def blocks_of_run(folder: Path) -> list[Block]:
    """Return the blocks in the folder named by a run's ID, without damaged and foreign ones.

    When the workflow is a module of another one, nothing sets these aside; and files that were
    copied there may belong to another run.

    Raises
    ------
    StorageError
        If the system fails to read a block, so that it cannot be checked.
    """
    found = []
    for block in blocks_in(folder):
        with suppress(DamagedError):
            if is_made_of(folder / f"{block}.parquet", folder.name):
                found.append(block)
    return found


def read_columns(folder: Path, realizations: int) -> dict[str, np.ndarray]:
    """Read the first ``realizations`` realizations from the blocks in a run's folder, each once.

    Raises
    ------
    StorageError
        If a block is missing, damaged or of another run.
    """
    parts = []
    start = 0
    for block in blocks(realizations, realizations, blocks_of_run(folder)):
        table = read_table(folder / f"{block}.parquet", made_of=folder.name)
        rows = {name: in_numpy(table.column(name)) for name in table.column_names}
        last = min(block.last, realizations - 1)
        chosen = (rows["realization"] >= start) & (rows["realization"] <= last)
        parts.append({name: values[chosen] for name, values in rows.items()})
        start = last + 1
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
