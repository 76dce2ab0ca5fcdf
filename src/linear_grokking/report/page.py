"""The page: gather its contents from the results, and fill in its template."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from docutils.core import publish_parts
from markupsafe import Markup

from linear_grokking.claims.verdict import VERDICTS, Disagreement
from linear_grokking.figures import tables
from linear_grokking.report import does_x_help, interactive, pictures, typesetting
from linear_grokking.report.captions import Values, caption, category, written
from linear_grokking.report.summary import summary
from linear_grokking.results.identity import RECORDED
from linear_grokking.results.places import CLAIMS, DOES_X_HELP, MANIFEST
from linear_grokking.results.storage import (
    StorageError,
    metadata,
    read_made_of,
    read_table,
    revision,
)
from linear_grokking.runtime.files import whole_file

MAX_BYTES = 16_000_000
"""Largest size, in bytes, of a page that is written."""
HEADLINES = (
    *("A1-grokking-time-epsilon-0.001", "A1-gen-loss-lambda-0.9", "A2-broad-maximum"),
    *("A3-floor-factor-8", "A5-prefactor-d_h-200", "B1-limit-norm-large-size"),
    *("B1-perfect-below", "B1-margin-accuracy", "B3-both", "B6-wendel-gaussian", "B8-slope"),
)
"""Claims that "What was reproduced: a selection" lists if they were confirmed."""
SIZES = (
    ("Paper A: input dimension d_in", "A1", "dynamics", "d_in", "1000"),
    ("Paper A: realizations", "A1", "dynamics", "realizations", "not stated"),
    ("Paper B: samples N of the dynamics", "B1", "dynamics", "n_train", "40 000"),
    ("Paper B: N where ‖S_∞‖ is measured", "B1", "statistics", "n_train", "2400"),
    ("… draws per λ", "B1", "statistics", "realizations", "15 000"),
    ("Paper B: N where the margin is measured", "B7", "margins", "n_train", "2400"),
    ("… draws per λ", "B7", "margins", "realizations", "1000"),
    ("Paper B: N of final accuracies and times", "B1", "final_dynamics", "n_train", "400"),
    ("… draws per λ", "B1", "final_dynamics", "realizations", "100"),
)
"""Sizes compared with the papers': description, figure, role, parameter, the paper's value."""
_HIDDEN = RECORDED | {"measure", "model", "solver"}


def write_page(request: Mapping[str, Any], output: Path, root: Path, made_of: str) -> None:
    """Write the report as one HTML file that needs no network.

    Parameters
    ----------
    request
        Required digests (`workflow.made_of`) of the figures' ``tables`` and ``pictures``, by
        figure in the page's order, and of ``claims``, ``does_x_help`` and ``manifest``; and the
        sources of the ``configuration``.
    root
        Folder that holds results/ and figures/.
    made_of
        The page's own digest.

    Raises
    ------
    ValueError
        If the page would be larger than `MAX_BYTES`.
    StorageError
        If a file cannot be read or has another digest.
    """
    judged = _claims(root / CLAIMS[-1], request["claims"])
    helping = read_table(root / DOES_X_HELP[-1], made_of=request["does_x_help"])
    entries = [_figure(figure, request, judged, root) for figure in request["tables"]]
    manifest = read_table(root / MANIFEST, made_of=request["manifest"])
    listed = manifest.to_pandas()
    confirmed = [claim for claim in judged if claim["verdict"] == "confirmed"]
    template = _environment().get_template("page.html")
    page = template.render(
        figures=entries,
        categories=list(dict.fromkeys(entry["category"] for entry in entries)),
        claims=judged,
        verdicts=VERDICTS,
        counts=Counter(claim["verdict"] for claim in judged),
        by_paper={
            whose: Counter(claim["verdict"] for claim in judged if claim["states"] == whose)
            for whose in ("A", "B", "ours")
        },
        summary=summary(judged, entries),
        sizes=_sizes(entries),
        headlines=[claim for claim in confirmed if claim["id"] in HEADLINES],
        disagreements=_disagreements(judged),
        undecided=[claim for claim in judged if claim["verdict"] == "undecided"],
        helping=helping.to_pandas().to_dict("records"),
        models=does_x_help.MODELS,
        heads=does_x_help.HEADS,
        note=does_x_help.NOTE,
        runs=_runs(listed),
        cost=_cost(listed.drop_duplicates("run_id")),
        provenance=_provenance(metadata(manifest.schema)[1]),
        made_of=made_of,
        configuration=request["configuration"],
        style=_resource("style.css"),
        script=_resource("script.js"),
        plots=interactive.packed({each["id"]: each["plot"] for each in entries if each["plot"]}),
    )
    size = len(page.encode())
    if size > MAX_BYTES:
        raise ValueError(f"the report has {size} bytes; at most {MAX_BYTES} are allowed")
    with whole_file(output) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _resource(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("linear_grokking.report", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=typesetting.number,
        key=typesetting.key,
        typeset=typesetting.sentence,
        moment=typesetting.moment,
    )
    environment.globals["inf"] = np.inf
    return environment


def _figure(
    figure: str, made_of: Mapping[str, Any], claims: Sequence[Mapping[str, Any]], root: Path
) -> dict[str, Any]:
    """Return what the template needs to show a figure."""
    request, provenance, table = tables.read_table(root, figure, made_of["tables"][figure])
    made, plot = caption(request), interactive.INTERACTIVE.get(figure)
    run_ids = [run["run_id"] for runs in request["runs"].values() for run in runs]
    return {
        "id": figure,
        "title": made.title,
        "category": category(figure),
        "caption": _running(made.text),
        "heading": made.heading,
        "beside": _running(made.beside),
        "is_ours": made.is_ours,
        "alt": made.alt,
        "picture": _picture(root / f"figures/{figure}.png", made_of["pictures"][figure]),
        "plot": plot and plot(table),
        "claims": [claim for claim in claims if claim["figure"] == figure],
        "runs": request["runs"],
        "run_ids": list(dict.fromkeys(run_ids)),
        "revision": typesetting.short(provenance["revision"]),
        "time": provenance["time"],
    }


def _picture(path: Path, made_of: str) -> pictures.Picture:
    try:
        return pictures.embedded(read_made_of(path, made_of))
    except OSError:  # Pillow's, which does not name the file
        raise StorageError(path, "is damaged; remove it, and it is drawn again") from None


def _running(text: str) -> str:
    """Convert reStructuredText to HTML."""
    return typesetting.subscripts(publish_parts(text, writer="html").get("fragment", ""))


def _sizes(entries: Sequence[Mapping[str, Any]]) -> list[tuple[Markup, str, str]]:
    """Return the sizes of the runs next to those of the papers."""
    runs = {entry["id"]: entry["runs"] for entry in entries}
    return [
        (typesetting.sentence(what), Values(runs[figure][role])[key], paper)
        for what, figure, role, key, paper in SIZES
        if figure in runs
    ]


def _claims(path: Path, made_of: str) -> list[dict[str, Any]]:
    table = read_table(path, made_of=made_of).to_pandas()
    table["run_ids"] = table["run_ids"].str.split()
    return table.to_dict("records")


Reasons = list[tuple[str, list[Mapping[str, Any]]]]


def _disagreements(claims: Sequence[Mapping[str, Any]]) -> dict[str, Reasons]:
    """Group the claims that do not agree by kind of disagreement, and within it by note."""
    kinds: dict[str, dict[tuple[str, str], list[Mapping[str, Any]]]] = {k: {} for k in Disagreement}
    for claim in claims:
        if claim["disagreement"]:
            # A claim without a note has no explanation to share and forms its own group.
            reason = claim["note"], "" if claim["note"] else claim["id"]
            kinds[claim["disagreement"]].setdefault(reason, []).append(claim)
    return {
        str(kind): [(note, group) for (note, _), group in reasons.items()]
        for kind, reasons in kinds.items()
        if reasons
    }


def _runs(manifest: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for run_id, group in manifest.groupby("run_id", sort=False):
        row = group.iloc[0]
        parameters = row.drop(list(_HIDDEN)).dropna()
        rows.append(
            {
                "run_id": run_id,
                "experiments": sorted(set(group["experiment"])),
                "figures": list(row["figures"]),
                "kind": " ".join(str(row[key]) for key in ("measure", "model", "solver")),
                "parameters": ", ".join(f"{k} = {written(v)}" for k, v in parameters.items()),
                "realizations": int(row["realizations"]),
                "seconds": float(row["seconds"]),
                "device": row["device"],
                "revision": ", ".join(
                    typesetting.short(each) for each in row["revision"].split(", ")
                ),
            }
        )
    return rows


def _cost(runs: pd.DataFrame) -> dict[str, Any]:
    seconds = runs.groupby("device")["seconds"].sum()
    return {
        "runs": len(runs),
        "realizations": int(runs["realizations"].sum()),
        "blocks": int(runs["blocks"].sum()),
        "time": {device: str(timedelta(seconds=round(each))) for device, each in seconds.items()},
    }


def _provenance(record: Mapping[str, Any]) -> dict[str, Any]:
    now = revision()
    return {
        **record,
        "report_revision": typesetting.short(now["revision"]) + ("*" if now["dirty"] else ""),
        "revision": typesetting.short(record["revision"]) + ("*" if record["dirty"] else ""),
    }
