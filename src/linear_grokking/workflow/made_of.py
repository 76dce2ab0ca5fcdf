"""What the files of the workflow are made of: a digest that each file carries.

The digest covers the request of the file's step and the code that the step reaches.  A request
names the step's inputs by their own digests, so that the digest of a file stands for everything
behind it.  The plan computes digests without running anything; the step writes them into its files.
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
    """Return the digest of what a step makes from a request with the present code.

    Parameters
    ----------
    step
        Name of the rule.
    """
    if step == "train_block":
        return run_id(request["spec"])
    return hashed(request, _code(step, request.get("figure")))


def stamp(step: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of each file of a step: the request as its ``spec``, and provenance."""
    code = _code(step, request.get("figure"))
    record = provenance(fingerprint=code, made_of=hashed(request, code))
    return {"spec": canonical(request), "provenance": record}


def write_pair(
    frame: "pd.DataFrame",
    outputs: Sequence[Path],
    step: str,
    request: Mapping[str, Any],
    **csv: Any,
) -> None:
    """Write a step's table as CSV, with pandas' options ``csv``, and as Parquet."""
    text, parquet = outputs
    with whole_file(text) as temporary:
        frame.to_csv(temporary, index=False, **csv)
    write_frame(frame, parquet, **stamp(step, request))
