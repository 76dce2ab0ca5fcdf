"""The smoke configuration from its blocks to tables, claims and report, in one process.

Of all figures the tables and claims; pictures of one alone, as tests/unit/figures draws them all.
"""

import shutil

import numpy as np
import pandas as pd
import pytest

from linear_grokking.claims import COLUMNS, registry
from linear_grokking.jobs.kinds import kind_of
from linear_grokking.results.identity import FOLDERS
from linear_grokking.results.storage import read_table
from linear_grokking.workflow.plan import targets
from linear_grokking.workflow.steps.claims import check_claims
from linear_grokking.workflow.steps.does_x_help import typeset
from linear_grokking.workflow.steps.figures import draw_figure
from linear_grokking.workflow.steps.report import write_report

DRAWN = "B6"


def table_of(root, figure_id):
    return root / f"figures/tables/{figure_id}.parquet"


@pytest.fixture(scope="module")
def end(smoke, tmp_path_factory):
    """Return a folder with what comes last: a picture, the claims and the report."""
    root, plan = smoke
    folder = tmp_path_factory.mktemp("end")
    shutil.copytree(root / "figures/tables", folder / "figures/tables")
    (folder / "results").mkdir()
    shutil.copy(root / targets.MANIFEST, folder / "results")
    for name in ("summaries", *FOLDERS.values(), "scalars"):
        (folder / "results" / name).symlink_to(root / "results" / name)

    def do(step, target, **changes):
        files = [folder / name for name in target.outputs]
        step({**target.request, **changes}, files, folder)

    do(draw_figure, targets.pictures(plan, DRAWN))
    do(check_claims, targets.claims(plan))
    do(typeset, targets.does_x_help(plan))
    whole = targets.report(plan)
    do(write_report, whole, tables={DRAWN: whole.request["tables"][DRAWN]})
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
    claims = pd.read_csv(end / "results/claims.csv")
    assert tuple(claims.columns) == COLUMNS
    assert claims["id"].is_unique
    # Samples this small leave most claims open; of those they decide, most are confirmed.
    decided = claims.loc[claims["verdict"].isin(["confirmed", "contradicted"]), "verdict"]
    assert len(decided) > 100
    assert (decided == "confirmed").mean() > 2 / 3
    assert set(claims["figure"]) == set(registry.registered()) & set(plan.config.figures)


def test_the_report_shows_what_was_drawn(end):
    page = (end / "results/report.html").read_text(encoding="utf-8")
    assert (end / f"figures/{DRAWN}.png").read_bytes().startswith(b"\x89PNG")
    assert (end / f"figures/{DRAWN}.pdf").read_bytes().startswith(b"%PDF")
    assert f'id="{DRAWN}"' in page
