"""The plan: runs shared between figures, files, damage set aside, stale results found."""

import copy
import json
import os
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from linear_grokking.config import load_merged
from linear_grokking.figures.registry import draw_code, tabulate_code
from linear_grokking.jobs.kinds import kind_of
from linear_grokking.results.storage import write_table
from linear_grokking.workflow.plan import Plan, read, stale

REPOSITORY = Path(__file__).parents[3]

CONFIGURATION = {
    "seed": 1,
    "experiments": {
        "lin": {"model": "linear", "d_in": 20, "lambda": [0.5, 2.0], "realizations": 25},
        "more": {"model": "linear", "d_in": 20, "lambda": 0.5, "realizations": 40, "block": 10},
        "sets": {"measure": "separability", "n_train": 20, "d": 6},
    },
    "figures": {
        "A1": {
            "dynamics": "lin",
            "times": "more",
            "epsilon": [0.001],
            "lambda": {"start": 0.3, "stop": 1.2, "points": 2},
        },
        "B6": {"statistics": "sets", "lambda": {"start": 0.3, "stop": 0.45, "points": 2}},
    },
}


def plan_of(root, **changes):
    raw = copy.deepcopy(CONFIGURATION)
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = raw
        for part in parents:
            node = node[part]
        node[last] = value
    return Plan(read(raw), root)


@pytest.fixture
def plan(tmp_path):
    return plan_of(tmp_path)


def write_all(plan):
    """Write empty files of the right kind in place of every Parquet file of a plan."""
    for run_id, run in plan.runs.items():
        table = kind_of(run.spec).schema.empty_table()
        for name in (*plan.block_files(run_id), *plan.summary_files(run_id)):
            write_table(table, plan.root / name, spec=plan.spec(run_id), provenance={})
    for name in (f"figures/tables/{figure}.parquet" for figure in plan.config.figures):
        write_table(pa.table({"x": [1.0]}), plan.root / name, spec="{}", provenance={})
    for figure in plan.config.figures:
        for suffix in ("pdf", "png"):
            (plan.root / f"figures/{figure}.{suffix}").write_text("picture")
    write_table(pa.table({"x": [1.0]}), plan.root / plan.manifest_file, spec="{}", provenance={})


def test_experiments_share_runs_and_the_most_realizations_count(plan):
    assert len(plan.runs) == 3
    (shared,) = plan.points["more"]
    assert shared.run_id == plan.points["lin"][0].run_id
    assert plan.runs[shared.run_id].realizations == 40
    assert plan.runs[plan.points["lin"][1].run_id].realizations == 25
    assert plan.figure_runs("A1") == [point.run_id for point in plan.points["lin"]]
    assert plan.figure_runs("B6") == [plan.points["sets"][0].run_id]


def test_files_lie_where_the_data_contract_says(plan):
    run_id = plan.points["sets"][0].run_id
    assert plan.block_files(run_id) == [f"results/separability/{run_id}/0-0.parquet"]
    summaries = [f"results/{folder}/{run_id}.parquet" for folder in ("summaries", "scalars")]
    assert plan.summary_files(run_id) == summaries
    assert plan.figure_files("B6") == [
        "figures/B6.pdf",
        "figures/B6.png",
        "figures/tables/B6.parquet",
    ]
    assert set(plan.figure_files()) == {*plan.figure_files("A1"), *plan.figure_files("B6")}
    assert set(plan.chain("B6")) == {
        *plan.figure_files("B6"),
        *summaries,
        *plan.block_files(run_id),
    }


@pytest.mark.parametrize("overlay", ["config.yaml", "smoke.yaml", "paper.yaml"])
def test_no_file_of_a_shipped_configuration_lies_outside_results_and_figures(overlay, tmp_path):
    config = REPOSITORY / "config"
    plan = Plan(read(load_merged([config / "config.yaml", config / overlay])), tmp_path)
    files = {plan.manifest_file, *plan.figure_files()}
    for run_id in plan.runs:
        files |= {*plan.summary_files(run_id), *plan.block_files(run_id)}
    for name in files:
        path = (tmp_path / name).resolve()
        assert path.relative_to(tmp_path).parts[0] in {"results", "figures"}
        assert len({path, tmp_path / name}) == 1


@pytest.mark.parametrize(("solver", "there"), [("spectral", False), ("gradient_descent", True)])
def test_only_solvers_that_compute_on_a_gpu_ask_for_more_there(tmp_path, solver, there):
    cpu, cuda = (
        plan_of(tmp_path, device=device, experiments__lin__solver=solver)
        for device in ("cpu", "cuda")
    )
    run, other = (plan.runs[plan.points["lin"][1].run_id] for plan in (cpu, cuda))
    assert (other.block > run.block) == there and (other.block != run.block) == there
    assert (other.memory_mb(gpu=True) > run.memory_mb(gpu=False)) == there
    assert (other.memory_mb(gpu=True) != run.memory_mb(gpu=False)) == there
    assert (other.gpu_memory_mb > 0) == there


def test_blocks_of_a_run_keep_those_on_disk(tmp_path):
    run_id = plan_of(tmp_path).points["more"][0].run_id
    folder = tmp_path / "results/histories" / run_id
    folder.mkdir(parents=True)
    (folder / "0-4.parquet").write_text("")
    (folder / "notes.parquet").write_text("")
    names = [os.path.basename(name) for name in plan_of(tmp_path).block_files(run_id)]
    assert names == [
        "0-4.parquet",
        "5-9.parquet",
        "10-19.parquet",
        "20-29.parquet",
        "30-39.parquet",
    ]


def test_a_request_holds_all_that_a_table_is_made_from(tmp_path):
    request = json.loads(plan_of(tmp_path).figure_request("A1"))
    assert request["figure"] == "A1"
    assert request["threshold"] == 0.95
    assert [run["parameters"]["lambda"] for run in request["runs"]["dynamics"]] == [0.5, 2.0]
    assert request["runs"]["times"][0]["realizations"] == 40
    same = plan_of(tmp_path, device="cpu", job_minutes=1, experiments__more__block=1)
    assert same.figure_request("A1") == json.dumps(request, sort_keys=True, separators=(",", ":"))
    for change in (
        {"accuracy_threshold": 0.9},
        {"experiments__more__realizations": 41},
        {"figures__A1__lambda__points": 3},
        {"seed": 2},
    ):
        assert plan_of(tmp_path, **change).figure_request("A1") != same.figure_request("A1")


def test_the_manifest_lists_every_run_with_what_uses_it(plan):
    entries = json.loads(plan.manifest_request())["runs"]
    assert [(e["experiment"], e["figures"]) for e in entries] == [
        ("lin", ["A1"]),
        ("lin", ["A1"]),
        ("more", ["A1"]),
        ("sets", ["B6"]),
    ]


def test_codes_of_figures_differ_and_stay():
    codes = {tabulate_code("A1"), tabulate_code("A3"), draw_code("A1"), draw_code("A3")}
    assert len(codes) == 4
    assert tabulate_code("A1") in codes


# ---- damage ----


def test_nothing_is_set_aside_where_all_is_well(plan):
    write_all(plan)
    assert plan.set_aside_damaged(pytest.fail) == []


def test_files_that_are_not_there_are_no_damage(plan):
    assert plan.set_aside_damaged(pytest.fail) == []


def test_damaged_files_are_set_aside_with_a_line_each(plan):
    write_all(plan)
    lin, sets = plan.points["lin"][1].run_id, plan.points["sets"][0].run_id
    names = [
        plan.block_files(lin)[0],
        plan.summary_files(sets)[0],
        "figures/tables/A1.parquet",
        plan.manifest_file,
    ]
    for name in names:
        (plan.root / name).write_bytes(b"garbage")
    other = plan.root / plan.block_files(sets)[0]
    table = pq.read_table(other)
    pq.write_table(table.replace_schema_metadata(table.schema.metadata | {b"spec": b"{}"}), other)
    lines = []
    aside = plan.set_aside_damaged(lines.append)
    assert {path.relative_to(plan.root) for path in aside} == {
        *map(type(other), names),
        other.relative_to(plan.root),
    }
    assert len(lines) == 5
    assert sum("not a readable Parquet file; set aside as" in line for line in lines) == 4
    assert sum("holds another run than its name says" in line for line in lines) == 1
    for path in aside:
        assert not path.exists()
        assert path.with_name(path.name + ".damaged").exists()
    assert plan.set_aside_damaged(pytest.fail) == []
    assert plan.block_files(lin) == [f"results/histories/{lin}/0-24.parquet"]


def test_a_block_is_cut_anew_where_a_damaged_one_lay(tmp_path):
    write_all(plan_of(tmp_path))
    changed = plan_of(tmp_path, experiments__sets__realizations=3, experiments__sets__block=2)
    run_id = changed.points["sets"][0].run_id
    folder = f"results/separability/{run_id}"
    assert changed.block_files(run_id) == [
        f"{folder}/0-0.parquet",
        f"{folder}/1-1.parquet",
        f"{folder}/2-2.parquet",
    ]
    (tmp_path / folder / "0-0.parquet").write_bytes(b"")
    changed.set_aside_damaged(lambda line: None)
    assert changed.block_files(run_id) == [f"{folder}/0-1.parquet", f"{folder}/2-2.parquet"]


def test_what_was_whole_when_the_manifest_was_made_is_not_read_again(plan, monkeypatch):
    write_all(plan)
    old = time.time() - 1000
    lin, sets = plan.points["lin"][1].run_id, plan.points["sets"][0].run_id
    for run_id in plan.runs:
        for name in (*plan.block_files(run_id), *plan.summary_files(run_id)):
            os.utime(plan.root / name, (old, old))
    fresh = plan.block_files(lin)[0]
    os.utime(plan.root / fresh)
    read_wholly = []
    monkeypatch.setattr(
        "linear_grokking.workflow.plan.planning.damage",
        lambda path, whole, **_: read_wholly.append(path) if whole else None,
    )
    plan.set_aside_damaged(pytest.fail)
    assert plan.root / fresh in read_wholly
    assert plan.root / plan.block_files(sets)[0] not in read_wholly


# ---- stale results ----


def test_stale_results_are_those_that_no_plan_needs(tmp_path):
    before = plan_of(tmp_path)
    write_all(before)
    after = plan_of(tmp_path, experiments__lin__lambda=[0.5], figures__B6=None)
    gone = before.points["lin"][1].run_id
    folder = tmp_path / "results/histories" / gone
    (folder / ".5-9.resume").mkdir()
    (folder / ".5-9.resume" / "solver.npz").write_text("")
    (folder / "notes.txt").write_text("mine")
    damaged = tmp_path / f"{before.block_files(before.points['more'][0].run_id)[0]}.damaged"
    damaged.write_text("")
    for name in ("results/thoughts.parquet", "results/summaries/all.parquet", "figures/C1.png"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "results/histories/mine").mkdir()
    (tmp_path / "results/histories/mine/0-9.parquet").write_text("mine")

    expected = {
        folder / "0-24.parquet",
        folder / ".5-9.resume",
        *(tmp_path / name for name in before.summary_files(gone)),
        damaged,
        *(tmp_path / name for name in before.figure_files("B6")),
    }
    assert stale.stale_paths(tmp_path, [before]) == [damaged]
    assert stale.stale_paths(tmp_path, [before, after]) == [damaged]
    assert set(stale.stale_paths(tmp_path, [after])) == expected

    everything = {path for path in tmp_path.rglob("*") if path.is_file()}
    stale.remove(stale.stale_paths(tmp_path, [after]))
    removed = everything - {path for path in tmp_path.rglob("*") if path.is_file()}
    assert removed == {*expected, folder / ".5-9.resume" / "solver.npz"} - {folder / ".5-9.resume"}
    assert (folder / "notes.txt").exists()
    assert stale.stale_paths(tmp_path, [after]) == []
    after.set_aside_damaged(pytest.fail)


def test_empty_folders_of_runs_go_with_their_blocks(tmp_path):
    before = plan_of(tmp_path)
    write_all(before)
    stale.remove(stale.stale_paths(tmp_path, [plan_of(tmp_path, seed=2)]))
    assert not list((tmp_path / "results/histories").iterdir())


def test_nothing_is_stale_where_there_is_nothing(tmp_path):
    assert stale.stale_paths(tmp_path, []) == []
    assert not stale.is_locked(tmp_path)
