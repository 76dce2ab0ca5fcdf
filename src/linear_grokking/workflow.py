"""The steps of the workflow after training: summaries, manifest, tables, figures.

Each function imports what only it needs: a summary starts without figures and configuration.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from linear_grokking.figures.tables import FigureData, read_blocks
from linear_grokking.runs import blocks_in, canonical, code_fingerprint
from linear_grokking.storage import (
    StorageError,
    provenance,
    read_metadata,
    read_table,
    whole_file,
    write_table,
)


def summarize(
    spec: Mapping[str, Any], realizations: int, threshold: float, folder: Path, output: Path
) -> None:
    """Reduce the blocks of a run over its realizations."""
    from linear_grokking.statistics import (
        summarize_dynamics,
        summarize_outputs,
        summarize_separability,
    )

    rows = read_blocks(folder, realizations)
    if spec["measure"] == "dynamics":
        frame = summarize_dynamics(rows, threshold=threshold)
    elif spec["measure"] == "separability":
        frame = summarize_separability(rows)
    else:
        frame = summarize_outputs(rows)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    record = provenance(fingerprint=code_fingerprint("workflow:summarize"))
    write_table(table, output, spec=canonical(spec), provenance=record)


def tabulate(request: Mapping[str, Any], root: Path, output: Path) -> None:
    """Make a figure's table from the summaries that its request names."""
    from linear_grokking.config.figures import figure_module
    from linear_grokking.plan import tabulate_code

    module = figure_module(request["figure"])
    options = module.Options.model_validate(request["options"])
    frame = module.tabulate(options, FigureData(root, request))
    table = pa.Table.from_pandas(frame, preserve_index=False)
    record = provenance(fingerprint=tabulate_code(request["figure"]))
    write_table(table, output, spec=canonical(request), provenance=record)


def draw(table_file: Path, outputs: Sequence[Path]) -> None:
    """Draw a figure from its table, once for all output files."""
    from linear_grokking.config.figures import figure_module
    from linear_grokking.figures import style
    from linear_grokking.plan import draw_code

    table = read_table(table_file).to_pandas()
    spec, _ = read_metadata(table_file)
    record = provenance(fingerprint=draw_code(spec["figure"]))
    with style.sheet():
        figure = figure_module(spec["figure"]).draw(table)
        for output in outputs:
            style.save(figure, output, spec=canonical(spec), provenance=record)


def export_csv(table_file: Path, output: Path) -> None:
    """Write a figure's table as CSV: what is null is empty, numbers keep all their digits."""
    table = read_table(table_file).to_pandas()
    with whole_file(output) as temporary:
        table.to_csv(temporary, index=False)


def write_manifest(entries: Sequence[Mapping[str, Any]], root: Path, output: Path) -> None:
    """Write results/runs.parquet: one row per run and experiment, every parameter a column.

    Raises
    ------
    StorageError
        If a block that the manifest should list is missing or damaged.
    """
    rows = []
    for entry in entries:
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
    table = pa.Table.from_pandas(pd.DataFrame(rows), preserve_index=False)
    spec = json.dumps({"runs": sorted({entry["run_id"] for entry in entries})})
    record = provenance(fingerprint=code_fingerprint("workflow:write_manifest"))
    write_table(table, output, spec=spec, provenance=record)
