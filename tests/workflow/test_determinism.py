"""The same numbers and the same pictures, however the work is cut."""

import json

import matplotlib.image
import numpy as np
import pyarrow.parquet as pq

from linear_grokking.workflow.plan import Plan, read, targets
from linear_grokking.workflow.steps.claims import check_claims
from linear_grokking.workflow.steps.figures import draw_figure

TIMES = {"seconds", "time"}


def test_cutting_and_ordering_the_work_changes_nothing(built, make, tmp_path):
    """Smaller blocks one after the other, in this process, against the first build."""
    cut = type(built)(tmp_path)
    for name, block in {"lin": 3, "decay": 1, "sets": 4, "flow": 1}.items():
        cut.configuration["experiments"][name]["block"] = block
    plan = Plan(read(cut.configuration), tmp_path)
    make(plan)
    drawn = [(draw_figure, targets.pictures(plan, figure)) for figure in plan.config.figures]
    for step, target in [*drawn, (check_claims, targets.claims(plan))]:
        step(target.request, [tmp_path / name for name in target.outputs], tmp_path)
    ours, theirs = cut.data(), built.data()
    blocks = {name for name in theirs if name.startswith(("results/hist", "results/sep"))}
    assert {name for name in ours if "-" not in name} == set(theirs) - blocks
    for name in set(theirs) - blocks - {"results/runs.parquet"}:
        assert ours[name] == theirs[name], name
    for block in blocks:
        folder = block.rpartition("/")[0]
        parts = sorted(name for name in ours if name.startswith(folder))
        assert len(parts) > 1 or block.endswith("0-0.parquet")
        assert [row for part in parts for row in ours[part].to_pylist()] == theirs[
            block
        ].to_pylist()
    for figure in ("A1", "A3", "B6"):
        pictures = [
            matplotlib.image.imread(root / f"figures/{figure}.png")
            for root in (built.root, cut.root)
        ]
        assert np.array_equal(*pictures)


def test_a_run_again_gives_the_same_bytes_but_for_times(repository):
    """All that the Parquet file holds is compared, and the provenance key by key."""
    paths = [repository.history(run) for run in ("linear/40/0.0", "sets/6", "flow")]
    before = [pq.read_table(path) for path in paths]
    for path in paths:
        path.unlink()
    names = [str(path.relative_to(repository.root)) for path in paths]
    assert repository.snakemake(*names).returncode == 0
    for path, old in zip(paths, before, strict=True):
        new = pq.read_table(path)
        assert new.replace_schema_metadata(None) == old.replace_schema_metadata(None)
        ours, theirs = (dict(table.schema.metadata) for table in (new, old))
        records = [json.loads(each.pop(b"provenance")) for each in (ours, theirs)]
        assert ours == theirs
        kept = [{k: v for k, v in each.items() if k not in TIMES} for each in records]
        assert kept[0] == kept[1]
