"""A figure's table from summaries, and its drawings from the table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linear_grokking.figures import registry, style
from linear_grokking.figures.tables import FigureData, ordered
from linear_grokking.results.identity import canonical
from linear_grokking.results.storage import (
    provenance,
    read_metadata,
    read_table,
    write_frame,
)


def tabulate_figure(
    request: Mapping[str, Any], outputs: Sequence[Path], root: Path = Path()
) -> None:
    """Make a figure's table.

    Parameters
    ----------
    request
        The figure, its options, and the runs that it is drawn from, by role.
    outputs
        The table.
    root
        Folder that holds results/.
    """
    module = registry.module(request["figure"])
    options = module.Options.model_validate(request["options"])
    frame = ordered(module.tabulate(options, FigureData(root, request)))
    frame.attrs["threshold"] = request["threshold"]
    record = provenance(fingerprint=registry.tabulate_code(request["figure"]))
    (output,) = outputs
    write_frame(frame, output, spec=canonical(request), provenance=record)


def draw_figure(request: Mapping[str, Any], outputs: Sequence[Path]) -> None:
    """Draw a figure from its ``table``, once for all output files."""
    path = Path(request["table"])
    table = read_table(path).to_pandas()
    spec, _ = read_metadata(path)
    record = provenance(fingerprint=registry.draw_code(spec["figure"]))
    with style.sheet():
        figure = registry.module(spec["figure"]).draw(table)
        for output in outputs:
            style.save(figure, output, spec=canonical(spec), provenance=record)
