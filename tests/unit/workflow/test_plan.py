"""The plan: runs shared between figures, files, what lies on disk judged, stale results found."""

import copy
import errno
import os
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import linear_grokking.workflow.made_of
from linear_grokking.config import load_merged
from linear_grokking.figures.registry import draw_code, tabulate_code
from linear_grokking.jobs.kinds import kind_of
from linear_grokking.jobs.resources import job_memory_mb
from linear_grokking.results.identity import canonical
from linear_grokking.results.places import MANIFEST
from linear_grokking.results.storage import StorageError, write_table
from linear_grokking.runtime.files import whole_file
from linear_grokking.workflow.made_of import stamp
from linear_grokking.workflow.plan import Plan, noted_configurations, read, stale, targets

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
        "B6": {
            "statistics": "sets",
            "margins": "sets",
            "lambda": {"start": 0.3, "stop": 0.45, "points": 2},
        },
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


def write(plan, target):
    """Write small files that say that they are what a target makes."""
    for path in (plan.root / name for name in target.outputs):
        if path.suffix == ".parquet":
            table = pa.table({"x": [1.0]}) if target.schema is None else target.schema.empty_table()
            record = {"fingerprint": code_of(target), "made_of": target.made_of}
            write_table(table, path, spec=canonical(spec_of(target)), provenance=record)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"made of {target.made_of}")


def spec_of(target):
    return target.request["spec"] if target.step == "train_block" else target.request


def code_of(target):
    if target.step == "train_block":
        return kind_of(target.request["spec"]).code(target.request["spec"])
    return stamp(target.step, target.request)["provenance"]["fingerprint"]


def all_targets(plan):
    for run_id in plan.runs:
        for name in plan.block_files(run_id):
            yield targets.block(plan, run_id, Path(name).stem)
        yield targets.summary(plan, run_id)
    for figure_id in plan.config.figures:
        yield targets.table(plan, figure_id)
        yield targets.pictures(plan, figure_id)
    yield from (targets.manifest(plan), targets.claims(plan), targets.report(plan))


def write_all(plan):
    """Write small files in place of every file of a plan."""
    for target in list(all_targets(plan)):
        write(plan, target)


def outdated(plan):
    return [name for target in all_targets(plan) for name in targets.outdated(plan, target)]


def test_experiments_share_runs_and_the_most_realizations_count(plan):
    assert len(plan.runs) == 3
    (shared,) = plan.points["more"]
    assert shared.run_id == plan.points["lin"][0].run_id
    assert plan.runs[shared.run_id].realizations == 40
    assert plan.runs[plan.points["lin"][1].run_id].realizations == 25
    assert plan.figure_runs("A1") == [point.run_id for point in plan.points["lin"]]
    assert plan.figure_runs("B6") == [plan.points["sets"][0].run_id]


@pytest.mark.parametrize("blocks", [(10, None), (None, 10), (10, 30), (30, 10)])
def test_the_smallest_block_that_experiments_ask_for_counts_whatever_their_order(tmp_path, blocks):
    lin, more = blocks
    plan = plan_of(tmp_path, experiments__lin__block=lin, experiments__more__block=more)
    shared, own = (plan.runs[point.run_id] for point in plan.points["lin"])
    assert shared.block == 10
    assert own.block == (lin or plan_of(tmp_path).runs[own.run_id].block)


def test_files_lie_where_the_data_contract_says(plan):
    run_id = plan.points["sets"][0].run_id
    assert plan.block_files(run_id) == [f"results/separability/{run_id}/0-0.parquet"]
    summaries = tuple(f"results/{folder}/{run_id}.parquet" for folder in ("summaries", "scalars"))
    assert targets.summary(plan, run_id).outputs == summaries
    drawn = ("figures/B6.pdf", "figures/B6.svg", "figures/B6.png")
    tables = ("figures/tables/B6.csv", "figures/tables/B6.parquet")
    assert targets.chain(plan, "B6").inputs == (
        *(*drawn, *tables),
        *(*summaries, *plan.block_files(run_id)),
    )
    asked = {name for target in all_targets(plan) for name in target.outputs}
    assert set(targets.everything(plan).inputs) == asked - {"results/report.html"}


@pytest.mark.parametrize("overlay", ["config.yaml", "smoke.yaml", "paper.yaml"])
def test_no_file_of_a_shipped_configuration_lies_outside_results_and_figures(overlay, tmp_path):
    config = REPOSITORY / "config"
    plan = Plan(read(load_merged([config / "config.yaml", config / overlay])), tmp_path)
    for name in targets.everything(plan).inputs:
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
    assert job_memory_mb(other.cost, gpu=True) > job_memory_mb(run.cost, gpu=False)
    assert [run.takes_gpu(present=present) for present in (False, True)] == [False, False]
    assert [other.takes_gpu(present=present) for present in (False, True)] == [there, there]


@pytest.mark.parametrize(("solver", "there"), [("spectral", False), ("gradient_descent", True)])
def test_a_device_that_is_not_named_is_a_gpu_where_there_are_some(tmp_path, solver, there):
    plan = plan_of(tmp_path, experiments__lin__solver=solver)
    run = plan.runs[plan.points["lin"][1].run_id]
    assert [run.takes_gpu(present=present) for present in (False, True)] == [False, there]
    # The machine that plans decides nothing else: its blocks are those of a CPU.
    same = plan_of(tmp_path, experiments__lin__solver=solver, device="cpu")
    assert run.block == same.runs[run.run_id].block


def test_blocks_of_a_run_keep_those_on_disk(tmp_path):
    plan = plan_of(tmp_path)
    run_id = plan.points["more"][0].run_id
    write(plan, targets.block(plan, run_id, "0-4"))
    (tmp_path / plan.runs[run_id].folder / "notes.parquet").write_text("")
    names = [os.path.basename(name) for name in plan_of(tmp_path).block_files(run_id)]
    assert names == [
        "0-4.parquet",
        "5-9.parquet",
        "10-19.parquet",
        "20-29.parquet",
        "30-39.parquet",
    ]


def test_a_request_holds_all_that_a_table_is_made_from(tmp_path):
    target = targets.table(plan_of(tmp_path), "A1")
    assert target.request["figure"] == "A1"
    assert target.request["threshold"] == 0.95
    runs = target.request["runs"]
    assert [run["parameters"]["lambda"] for run in runs["dynamics"]] == [0.5, 2.0]
    assert runs["times"][0]["realizations"] == 40
    same = plan_of(tmp_path, device="cpu", job_minutes=1, experiments__more__block=1)
    assert targets.table(same, "A1").made_of == target.made_of
    for change in (
        {"accuracy_threshold": 0.9},
        {"experiments__more__realizations": 41},
        {"figures__A1__lambda__points": 3},
        {"seed": 2},
    ):
        assert targets.table(plan_of(tmp_path, **change), "A1").made_of != target.made_of


def test_experiments_need_no_figure(tmp_path):
    raw = {key: value for key, value in CONFIGURATION.items() if key != "figures"}
    plan = Plan(read(raw), tmp_path)
    assert not plan.config.figures
    made = targets.everything(plan).inputs
    assert MANIFEST in made
    for run_id in plan.runs:
        assert {f"results/scalars/{run_id}.parquet", *plan.block_files(run_id)} <= set(made)


def test_the_manifest_lists_every_run_with_what_uses_it(plan):
    entries = targets.manifest(plan).request["runs"]
    assert [(e["experiment"], e["figures"]) for e in entries] == [
        ("lin", ["A1"]),
        ("lin", ["A1"]),
        ("more", ["A1"]),
        ("sets", ["B6"]),
    ]


def test_what_is_not_configured_is_refused_by_name(plan):
    with pytest.raises(
        targets.UnknownError, match="figure B9 is not configured; configured are A1, B6"
    ):
        targets.chain(plan, "B9")
    for ask in (targets.summary, lambda plan, run_id: targets.block(plan, run_id, "0-9")):
        with pytest.raises(
            targets.UnknownError, match="run 0123 is not part of this configuration"
        ):
            ask(plan, "0123")


def test_codes_of_figures_differ_and_stay():
    codes = {tabulate_code("A1"), tabulate_code("A3"), draw_code("A1"), draw_code("A3")}
    assert len(codes) == 4
    assert tabulate_code("A1") in codes


# ---- what lies on disk ----


def test_what_is_of_todays_plan_stays(plan):
    assert outdated(plan) == []
    write_all(plan)
    assert outdated(plan) == [] and plan.disk.damaged == {}


@pytest.mark.parametrize(
    ("change", "remade"),
    [
        ({"accuracy_threshold": 0.6}, {"summaries", "scalars", "tables", "A1", "B6"}),
        ({"loss_threshold": 0.1}, {"summaries", "scalars", "tables", "A1", "B6"}),
        ({"figures__A1__epsilon": [0.01]}, {"tables", "A1"}),
        ({"experiments__more__realizations": 41}, {"summaries", "scalars", "tables", "A1"}),
    ],
)
def test_what_is_of_another_request_is_made_again_whatever_its_time(tmp_path, change, remade):
    write_all(plan_of(tmp_path))
    for path in tmp_path.rglob("*.*"):
        os.utime(path, (time.time() + 1e6, time.time() + 1e6))
    changed = plan_of(tmp_path, **change)
    found = [Path(name) for name in outdated(changed)]
    always = {"results"} if "experiments__more__realizations" in change else set()
    kinds = {path.stem if path.parent.name == "figures" else path.parent.name for path in found}
    # The claims and the report stand on every table.
    assert kinds - {"results"} == remade and {"results"} | always <= kinds
    assert changed.disk.damaged == {}


def test_what_other_code_made_is_made_again(plan, monkeypatch):
    write_all(plan)
    monkeypatch.setattr(linear_grokking.workflow.made_of, "draw_code", lambda figure_id: "other")
    linear_grokking.workflow.made_of._code.cache_clear()
    today = plan_of(plan.root)
    assert outdated(today) == [
        *(f"figures/{each}.{suffix}" for each in ("A1", "B6") for suffix in ("pdf", "svg", "png")),
        "results/report.html",
    ]
    linear_grokking.workflow.made_of._code.cache_clear()


def test_damaged_files_are_made_again_and_set_aside_when_that_is_asked_for(plan):
    write_all(plan)
    lin, sets = plan.points["lin"][1].run_id, plan.points["sets"][0].run_id
    names = [
        plan.block_files(lin)[0],
        targets.summary(plan, sets).outputs[0],
        "figures/tables/A1.parquet",
        MANIFEST,
    ]
    for name in names:
        (plan.root / name).write_bytes(b"garbage")
    other = plan.root / plan.block_files(sets)[0]
    table = pq.read_table(other)
    pq.write_table(table.replace_schema_metadata(table.schema.metadata | {b"spec": b"{}"}), other)
    before = {path: path.read_bytes() for path in plan.root.rglob("*") if path.is_file()}

    plan = plan_of(plan.root)
    assert set(outdated(plan)) == {*names, str(other.relative_to(plan.root))}
    assert {path: path.read_bytes() for path in plan.root.rglob("*") if path.is_file()} == before

    lines = []
    plan.disk.set_aside(lines.append)
    assert len(lines) == 5
    assert sum("not a readable Parquet file; set aside as" in line for line in lines) == 4
    assert sum("holds a different run from the one in its name" in line for line in lines) == 1
    for path in (other, *(plan.root / name for name in names)):
        assert not path.exists()
        assert path.with_name(path.name + ".damaged").exists()
    assert outdated(plan_of(plan.root)) == []


def test_a_block_is_cut_anew_where_a_damaged_one_lies(tmp_path):
    write_all(plan_of(tmp_path))
    changes = {"experiments__sets__realizations": 3, "experiments__sets__block": 2}
    changed = plan_of(tmp_path, **changes)
    run_id = changed.points["sets"][0].run_id
    folder = f"results/separability/{run_id}"
    assert changed.block_files(run_id) == [
        f"{folder}/0-0.parquet",
        f"{folder}/1-1.parquet",
        f"{folder}/2-2.parquet",
    ]
    (tmp_path / folder / "0-0.parquet").write_bytes(b"")
    anew = [f"{folder}/0-1.parquet", f"{folder}/2-2.parquet"]
    assert plan_of(tmp_path, **changes).block_files(run_id) == anew


def test_the_rules_can_be_read_where_results_cannot(tmp_path):
    (tmp_path / "results").touch()
    plan = plan_of(tmp_path)
    with pytest.raises(OSError, match="Not a directory"):
        targets.everything(plan)


FAILURES = [
    (OSError(errno.ESTALE, "stale"), "Stale file handle"),
    (PermissionError(errno.EACCES, "denied"), "Permission denied"),
    (pa.ArrowMemoryError("malloc"), "not enough memory"),
]


@pytest.mark.parametrize(("failure", "says"), FAILURES)
@pytest.mark.parametrize("reader", ["read_schema", "ParquetFile"])
def test_a_system_that_fails_is_no_damage(plan, monkeypatch, failure, says, reader):
    write_all(plan)
    before = sorted(plan.root.rglob("*"))
    # What is older than the manifest is not read wholly.
    age = -1e6 if reader == "read_schema" else 1e6
    for path in plan.root.glob("results/*/*/*.parquet"):
        os.utime(path, (time.time() + age, time.time() + age))

    def fail(*_, **__):
        raise failure

    monkeypatch.setattr(pq, reader, fail)
    plan = plan_of(plan.root)
    with pytest.raises(StorageError, match=rf"[0-9a-f]{{16}}/.*parquet: .*{says}"):
        plan.block_files(plan.points["lin"][0].run_id)
    assert plan.disk.damaged == {}
    assert sorted(plan.root.rglob("*")) == before


def test_what_was_whole_when_the_manifest_was_made_is_not_read_again(plan, monkeypatch):
    write_all(plan)
    old = time.time() - 1000
    lin, sets = plan.points["lin"][1].run_id, plan.points["sets"][0].run_id
    for path in plan.root.glob("results/*/*/*.parquet"):
        os.utime(path, (old, old))
    fresh = plan.block_files(lin)[0]
    os.utime(plan.root / fresh)
    read_wholly = []
    monkeypatch.setattr(
        "linear_grokking.results.storage.read_table",
        lambda path: read_wholly.append(path) or pq.read_table(path),
    )
    assert outdated(plan_of(plan.root)) == []
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
    for name in ("results/thoughts.parquet", "results/summaries/all.parquet", "figures/D1.png"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "results/histories/mine").mkdir()
    (tmp_path / "results/histories/mine/0-9.parquet").write_text("mine")

    expected = {
        folder / "0-24.parquet",
        folder / ".5-9.resume",
        *(tmp_path / name for name in targets.summary(before, gone).outputs),
        damaged,
        *(tmp_path / name for name in targets.pictures(before, "B6").outputs),
        *(tmp_path / name for name in targets.table(before, "B6").outputs),
    }
    # No job will go on from the side folder, as the block that it belongs to is cut differently.
    assert set(stale.stale_paths(tmp_path, [before])) == {damaged, folder / ".5-9.resume"}
    assert set(stale.stale_paths(tmp_path, [before, after])) == {damaged, folder / ".5-9.resume"}
    assert set(stale.stale_paths(tmp_path, [after])) == expected

    everything = {path for path in tmp_path.rglob("*") if path.is_file()}
    stale.remove(stale.stale_paths(tmp_path, [after]))
    removed = everything - {path for path in tmp_path.rglob("*") if path.is_file()}
    assert removed == {*expected, folder / ".5-9.resume" / "solver.npz"} - {folder / ".5-9.resume"}
    assert (folder / "notes.txt").exists()
    assert stale.stale_paths(tmp_path, [after]) == []


def test_what_killed_jobs_left_unfinished_is_stale_and_nothing_else(plan):
    write_all(plan)
    noted = noted_configurations.FOLDER + "/config.yaml-0123abcd.json"
    everything = (*targets.everything(plan).inputs, *targets.DOES_X_HELP, noted)
    left = set()
    for name in (*everything, targets.REPORT, targets.ARCHIVE):
        with pytest.raises(KeyboardInterrupt), whole_file(plan.root / name) as temporary:
            left.add(temporary)
            raise KeyboardInterrupt
    mine = plan.root / "results/.mine.parquet.0123abcd.parquet"
    for path in (*left, mine):
        path.touch()
    damaged = plan.root / f"{MANIFEST}.damaged"
    damaged.touch()
    # Of a job that was killed after its block was in place, of one whose block is cut differently
    # now, and of one that may resume.
    folder = plan.root / plan.runs[plan.points["more"][0].run_id].folder
    for name in ("0-9", "7-9", "10-19"):
        (folder / f".{name}.resume").mkdir()
    (folder / "10-19.parquet").unlink()
    left |= {folder / ".0-9.resume", folder / ".7-9.resume"}
    assert set(stale.stale_paths(plan.root, [plan])) == {*left, damaged}
    assert noted_configurations.read(plan.root) == {}


def test_empty_folders_of_runs_go_with_their_blocks(tmp_path):
    before = plan_of(tmp_path)
    write_all(before)
    stale.remove(stale.stale_paths(tmp_path, [plan_of(tmp_path, seed=2)]))
    assert not list((tmp_path / "results/histories").iterdir())


def test_nothing_is_stale_where_there_is_nothing(tmp_path):
    assert stale.stale_paths(tmp_path, []) == []
    assert not stale.is_locked(tmp_path)


@pytest.mark.parametrize("make", [targets.does_x_help, targets.report, targets.archive])
def test_a_request_names_each_input_by_its_digest(tmp_path, make):
    plan = plan_of(tmp_path)
    one = [targets.manifest(plan), targets.claims(plan), targets.does_x_help(plan)]
    if make is not targets.report:
        one.append(targets.report(plan))
    each = [
        of(plan, name) for of in (targets.table, targets.pictures) for name in plan.config.figures
    ]
    made_by = {name: made for made in (*one, *each) for name in made.outputs}
    target = make(plan)
    known = [made_by[name] for name in target.inputs if name in made_by]
    assert known
    assert [made for made in known if made.made_of not in canonical(target.request)] == []


@pytest.mark.parametrize("counts", [(25, 40), (40, 25)])
def test_the_most_realizations_count_whatever_their_order(tmp_path, counts):
    lin, more = counts
    plan = plan_of(
        tmp_path, experiments__lin__realizations=lin, experiments__more__realizations=more
    )
    (shared,) = plan.points["more"]
    assert plan.runs[shared.run_id].realizations == 40
