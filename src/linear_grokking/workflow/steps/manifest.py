"""The manifest of all runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from linear_grokking.config.experiments import PARAMETERS
from linear_grokking.results.blocks import blocks_of_run
from linear_grokking.results.identity import RECORDED
from linear_grokking.results.storage import StorageError, read_metadata, write_frame
from linear_grokking.workflow.made_of import stamp


def list_runs(request: Mapping[str, Any], outputs: Sequence[Path], root: Path) -> None:
    """Write results/runs.parquet: one row per run and experiment, every parameter a column.

    Parameters
    ----------
    request
        ``runs``: the run_id, experiment, figures, parameters, realizations and folder of each row.

    Raises
    ------
    StorageError
        If the folder of a run holds no blocks, or a block cannot be read.
    """
    (output,) = outputs
    rows = rows_of(request["runs"], root)
    # If all figures show formulas alone there are no runs, but readers still expect the columns.
    frame = pd.DataFrame(rows, columns=None if rows else [*sorted(RECORDED), *PARAMETERS])
    write_frame(frame, output, **stamp("list_runs", request))


def rows_of(entries: Sequence[Mapping[str, Any]], root: Path) -> list[dict[str, Any]]:
    """Return the rows of the manifest."""
    rows = []
    for entry in entries:
        folder = root / entry["folder"]
        files = [folder / f"{block}.parquet" for block in blocks_of_run(folder)]
        if not files:
            raise StorageError(folder, "holds no blocks")
        told = [read_metadata(path)[1] for path in files]
        rows.append(
            {
                "run_id": entry["run_id"],
                "experiment": entry["experiment"],
                "figures": entry["figures"],
                **entry["parameters"],
                "realizations": entry["realizations"],
                "blocks": len(files),
                "seconds": sum(each["seconds"] for each in told),
                "device": ", ".join(sorted({each["device"] for each in told})),
                "revision": ", ".join(sorted({str(each["revision"]) for each in told})),
            }
        )
    return rows
