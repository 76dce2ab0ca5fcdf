"""The rows of a run, from the files of its blocks."""

from pathlib import Path

import numpy as np

from linear_grokking.results.identity import blocks, blocks_in
from linear_grokking.results.storage import in_numpy, read_table


def read_columns(folder: Path, realizations: int) -> dict[str, np.ndarray]:
    """Read the first so many realizations from the blocks in a folder, each once.

    Raises
    ------
    StorageError
        If a block is missing or damaged.
    """
    parts = []
    start = 0
    for block in blocks(realizations, realizations, blocks_in(folder)):
        table = read_table(folder / f"{block}.parquet")
        rows = {name: in_numpy(table.column(name)) for name in table.column_names}
        last = min(block.last, realizations - 1)
        chosen = (rows["realization"] >= start) & (rows["realization"] <= last)
        parts.append({name: values[chosen] for name, values in rows.items()})
        start = last + 1
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
