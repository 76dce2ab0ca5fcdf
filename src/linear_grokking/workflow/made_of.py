"""What the files of the workflow are made of: a digest that each carries, and can be asked for.

A file's digest is that of its step's request and of the code that the step reaches.  A request
names what the step reads by its own digest, so that a file's digest stands for all that lies
behind it.  The plan computes it without running anything; the step writes it into the file.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linear_grokking.figures.registry import draw_code, tabulate_code
from linear_grokking.jobs.kinds import run_id
from linear_grokking.report import archive_code, does_x_help_code, report_code
from linear_grokking.results.fingerprint import fingerprint
from linear_grokking.results.identity import canonical, hashed
from linear_grokking.results.storage import provenance, write_frame
from linear_grokking.runtime.files import whole_file

if TYPE_CHECKING:
    import pandas as pd

_REACHED = {
    "summarize_run": (
        "results.blocks:read_columns",
        "results.summaries:scalars_of",
        "results.summaries:summary_of",
    ),
    "list_runs": ("workflow.steps.manifest:rows_of",),
    "check_claims": ("claims:judged", "claims:MODULES"),
}


@cache
def _code(step: str, figure: str | None) -> str:
    """Return the fingerprint of what a step's output depends on."""
    if figure is not None:
        return {"tabulate_figure": tabulate_code, "draw_figure": draw_code}[step](figure)
    of_step = {"report": report_code, "X1": does_x_help_code, "archive": archive_code}
    return of_step[step]() if step in of_step else fingerprint(_REACHED[step])


def made_of(step: str, request: Mapping[str, Any]) -> str:
    """Return the digest of what a step makes from a request by today's code.

    Parameters
    ----------
    step
        Name of the rule.
    """
    if step == "train_block":
        return run_id(request["spec"])
    return hashed(request, _code(step, request.get("figure")))


def record(step: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the provenance of what a step makes from a request."""
    code = _code(step, request.get("figure"))
    return provenance(fingerprint=code, made_of=hashed(request, code))


def stamp(step: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what each file of a step carries: the request as its ``spec``, and `record`."""
    return {"spec": canonical(request), "provenance": record(step, request)}


def write_pair(
    frame: "pd.DataFrame",
    outputs: Sequence[Path],
    step: str,
    request: Mapping[str, Any],
    **csv: Any,
) -> None:
    """Write a step's table as CSV, with options ``csv`` of pandas', and as Parquet."""
    text, parquet = outputs
    with whole_file(text) as temporary:
        frame.to_csv(temporary, index=False, **csv)
    write_frame(frame, parquet, **stamp(step, request))
