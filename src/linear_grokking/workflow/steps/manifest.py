"""The manifest of all runs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from linear_grokking.results.fingerprint import fingerprint
from linear_grokking.results.identity import blocks_in
from linear_grokking.results.storage import StorageError, provenance, read_metadata, write_frame
from linear_grokking.workflow.steps import MANIFEST_CODE


def list_runs(request: Mapping[str, Any], outputs: Sequence[Path], root: Path = Path()) -> None:
    """Write results/runs.parquet: one row per run and experiment, every parameter a column.

    Parameters
    ----------
    request
        ``runs``: run_id, experiment, figures, parameters, realizations and folder of each.

    Raises
    ------
    StorageError
        If a block that the manifest should list is missing or damaged.
    """
    rows = []
    for entry in request["runs"]:
        folder = root / entry["folder"]
        files = [folder / f"{block}.parquet" for block in blocks_in(folder)]
        if not files:
            raise StorageError(f"{folder}: holds no blocks")
        records = [read_metadata(path)[1] for path in files]
        rows.append(
            {
                "run_id": entry["run_id"],
                "experiment": entry["experiment"],
                "figures": entry["figures"],
                **entry["parameters"],
                "realizations": entry["realizations"],
                "blocks": len(files),
                "seconds": sum(record["seconds"] for record in records),
                "device": ", ".join(sorted({record["device"] for record in records})),
                "revision": ", ".join(sorted({str(record["revision"]) for record in records})),
            }
        )
    spec = json.dumps({"runs": sorted({entry["run_id"] for entry in request["runs"]})})
    (output,) = outputs
    record = provenance(fingerprint=fingerprint(MANIFEST_CODE))
    write_frame(pd.DataFrame(rows), output, spec=spec, provenance=record)
