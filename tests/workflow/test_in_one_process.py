"""The smoke configuration from its blocks to tables, claims and report, in one process.

Of all figures the tables; pictures of those alone that tests/unit/figures does not draw.
"""

import numpy as np
import pandas as pd
import pytest

from linear_grokking.claims import COLUMNS, registry
from linear_grokking.jobs.kinds import kind_of
from linear_grokking.results.storage import read_table
from linear_grokking.workflow.steps.claims import check_claims
from linear_grokking.workflow.steps.figures import draw_figure
from linear_grokking.workflow.steps.report import write_report

DRAWN = ("A4", "B1", "B6")


def table_of(root, figure_id):
    return root / f"figures/tables/{figure_id}.parquet"


@pytest.fixture(scope="module")
def end(smoke, tmp_path_factory):
    """Return a folder with what comes last: a few pictures, the claims and the report."""
    root, plan = smoke
    folder = tmp_path_factory.mktemp("end")
    shown = {figure_id: str(table_of(root, figure_id)) for figure_id in DRAWN}
    for figure_id, table in shown.items():
        pictures = [folder / f"figures/{figure_id}.{kind}" for kind in ("pdf", "png")]
        draw_figure({"table": table}, pictures)
    tables = [str(table_of(root, figure_id)) for figure_id in plan.config.figures]
    check_claims({"tables": tables}, [folder / "claims.csv"], root)
    request = {
        "tables": list(shown.values()),
        "claims": str(folder / "claims.csv"),
        "manifest": str(root / plan.manifest_file),
    }
    write_report(request, [folder / "report.html"], folder)
    return folder


def test_every_block_is_finite_but_for_what_is_undefined(smoke):
    root, plan = smoke
    for run_id, run in plan.runs.items():
        for block in plan.block_files(run_id):
            table = read_table(root / block)
            assert table.schema.equals(kind_of(run.spec).schema)
            for name in table.column_names:
                values = table[name].drop_null().to_numpy()
                if values.dtype.kind == "f":
                    assert not np.isnan(values).any(), (block, name)


def test_every_figure_has_a_table_with_series(smoke):
    root, plan = smoke
    for figure_id in plan.config.figures:
        table = read_table(table_of(root, figure_id)).to_pandas()
        assert len(table) > 0
        assert table[["panel", "series", "source"]].notna().all().all()


def test_every_figure_with_claims_is_judged(smoke, end):
    _, plan = smoke
    claims = pd.read_csv(end / "claims.csv")
    assert tuple(claims.columns) == COLUMNS
    assert claims["id"].is_unique
    assert (claims["verdict"] == "confirmed").sum() > len(claims) / 3
    assert set(claims["figure"]) == set(registry.registered()) & set(plan.config.figures)


def test_the_report_shows_what_was_drawn(end):
    page = (end / "report.html").read_text(encoding="utf-8")
    for figure_id in DRAWN:
        assert (end / f"figures/{figure_id}.png").read_bytes().startswith(b"\x89PNG")
        assert (end / f"figures/{figure_id}.pdf").read_bytes().startswith(b"%PDF")
        assert f'id="{figure_id}"' in page
