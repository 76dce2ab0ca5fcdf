"""A figure's table from summaries, and its drawings from the table."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.figures import registry, style
from linear_grokking.figures.dynamics import QUANTITIES
from linear_grokking.figures.tables import FigureData, ordered, read_table
from linear_grokking.results.identity import canonical
from linear_grokking.workflow.made_of import stamp, write_pair


def tabulate_figure(request: Mapping[str, Any], outputs: Sequence[Path], root: Path) -> None:
    """Make a figure's table.

    Parameters
    ----------
    request
        The figure, its options, and the runs that it is drawn from, by role.
    outputs
        The table as CSV (nulls are empty, numbers keep all their digits) and as Parquet.

    Raises
    ------
    LinearGrokkingError
        If the table holds several runs as one series.
    """
    module = registry.module(request["figure"])
    options = module.Options.model_validate(request["options"])
    with _figure_named(request):
        frame = ordered(module.tabulate(options, FigureData(root, request)))
    _check_told_apart(frame, request)
    frame.attrs["threshold"] = request["threshold"]
    write_pair(frame, outputs, "tabulate_figure", request)


@contextmanager
def _figure_named(request: Mapping[str, Any]) -> Iterator[None]:
    """Add to an error that nobody foresaw the figure and the experiments that it is drawn from."""
    try:
        yield
    except (LinearGrokkingError, OSError, MemoryError):
        raise
    except Exception as error:
        names = ", ".join(sorted({request["options"][role] for role in request["runs"]}))
        drawn = f"figure {request['figure']}, drawn from {names or 'formulas'}"
        error.add_note(f"{drawn}, cannot be made with these lists and options")
        raise


def _check_told_apart(table: pd.DataFrame, request: Mapping[str, Any]) -> None:
    """Refuse a table with several runs as one curve against the step, as it would be drawn."""
    told = list(table.columns.difference(["y", "y_low", "y_high", "z", "n"]))
    curves = table[(table["source"] == "experiment") & table["panel"].isin(QUANTITIES)]
    # Two options of a figure may name the same runs.
    double = curves.drop_duplicates().duplicated(told)
    if not double.any():
        return
    lists = []
    for role, runs in request["runs"].items():
        parameters = pd.DataFrame([run["parameters"] for run in runs]).astype(str)
        varied = parameters.nunique() > 1
        if varied.get("lambda"):  # it decides the sizes
            varied = parameters.groupby("lambda").nunique().max() > 1
            varied["lambda"] = True
        others = varied.index[varied].difference(told)
        if len(others):
            lists.append(f"{request['options'][role]} ({', '.join(others)})")
    raise LinearGrokkingError(
        f"figure {request['figure']}: cannot tell apart what its experiments list: "
        f"{'; '.join(lists)}; let them list less, or draw it in a figure of your own "
        "(docs/add_a_figure.md)"
    )


def draw_figure(request: Mapping[str, Any], outputs: Sequence[Path], root: Path) -> None:
    """Draw a figure from its table, once for all output files.

    Parameters
    ----------
    request
        The figure, and the digest of its ``table`` (`workflow.made_of`).
    """
    spec, _, table = read_table(root, request["figure"], request["table"])
    made: dict[str, Any] = stamp("draw_figure", request) | {"spec": canonical(spec)}
    with style.sheet():
        with _figure_named(spec):
            figure = registry.module(request["figure"]).draw(table)
        for output in outputs:
            style.save(figure, output, **made)
