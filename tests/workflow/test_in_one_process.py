"""The smoke configuration from its blocks to tables, claims and report, in one process.

Of all figures the tables; pictures of those alone that tests/unit/figures does not draw.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from linear_grokking.claims import COLUMNS, VERDICTS, registry
from linear_grokking.cli import main
from linear_grokking.config import load_merged, read
from linear_grokking.plan import Plan
from linear_grokking.storage import read_table, schema_of
from linear_grokking.workflow import write_manifest

CONFIG = Path(__file__).parents[2] / "config"
DRAWN = ("A4", "B1", "B6")


def do(*arguments):
    assert main([str(each) for each in arguments]) == 0


def table_of(root, figure_id):
    return root / f"figures/tables/{figure_id}.parquet"


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """Return the folder and the plan of the smoke configuration, with all that was made."""
    root = tmp_path_factory.mktemp("smoke")
    plan = Plan(read(load_merged([CONFIG / "config.yaml", CONFIG / "smoke.yaml"])), root)
    threshold = plan.config.accuracy_threshold
    for run_id, run in plan.runs.items():
        spec = plan.spec(run_id)
        for block in plan.block_files(run_id):
            do("block", spec, root / block, "--realizations", Path(block).stem, "--device", "cpu")
        counts = ("--realizations", run.realizations, "--threshold", threshold)
        do("summarize", spec, root / run.folder, root / plan.summary_file(run_id), *counts)
    write_manifest(json.loads(plan.manifest()), root, root / plan.manifest_file)
    for figure_id in plan.config.figures:
        request = plan.figure_request(figure_id)
        do("tabulate", request, table_of(root, figure_id), "--root", root)
    for figure_id in DRAWN:
        pictures = (root / f"figures/{figure_id}.{kind}" for kind in ("pdf", "png"))
        do("draw", table_of(root, figure_id), *pictures)
    tables = [table_of(root, figure_id) for figure_id in plan.config.figures]
    do("claims", *tables, root / "results/claims.csv", "--root", root)
    shown = [table_of(root, figure_id) for figure_id in DRAWN]
    sources = ("--claims", root / "results/claims.csv", "--manifest", root / plan.manifest_file)
    do("report", *shown, root / "report.html", "--root", root, *sources)
    return root, plan


def test_every_block_is_finite_but_for_what_is_undefined(smoke):
    root, plan = smoke
    for run_id, run in plan.runs.items():
        for block in plan.block_files(run_id):
            table = read_table(root / block, schema=schema_of(run.spec))
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


def test_every_figure_with_claims_is_judged(smoke):
    root, plan = smoke
    claims = pd.read_csv(root / "results/claims.csv")
    assert tuple(claims.columns) == COLUMNS
    assert claims["id"].is_unique
    assert set(claims["verdict"]) <= set(VERDICTS)
    # At its few sizes of B9's inputs too little generalizes to compare.
    expected = set(registry.registered()) & set(plan.config.figures)
    assert expected - set(claims["figure"]) <= {"B9"}


def test_the_report_shows_what_was_drawn(smoke):
    root, _ = smoke
    page = (root / "report.html").read_text(encoding="utf-8")
    for figure_id in DRAWN:
        assert (root / f"figures/{figure_id}.png").read_bytes().startswith(b"\x89PNG")
        assert (root / f"figures/{figure_id}.pdf").read_bytes().startswith(b"%PDF")
        assert f'id="{figure_id}"' in page
