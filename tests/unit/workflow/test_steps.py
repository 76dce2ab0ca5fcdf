"""The steps of the workflow, and the programs that the rules' scripts make of them."""

import io
import json
import runpy
import shutil
import sys
from pathlib import Path

import pytest
from small_plan import CONFIGURATION

from linear_grokking.figures import a1
from linear_grokking.results.storage import StorageError, digest_of, read_metadata, read_table
from linear_grokking.workflow.plan import Plan, read, targets
from linear_grokking.workflow.steps.claims import check_claims
from linear_grokking.workflow.steps.figures import draw_figure, tabulate_figure
from linear_grokking.workflow.steps.manifest import list_runs
from linear_grokking.workflow.steps.summarize import summarize_run

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"


@pytest.fixture(scope="module")
def plan(tmp_path_factory, make):
    """Return a plan whose results are there."""
    plan = Plan(read(CONFIGURATION), tmp_path_factory.mktemp("steps"))
    make(plan)
    return plan


def test_each_file_says_what_it_is_made_of(plan):
    made = [targets.summary(plan, run_id) for run_id in plan.runs]
    made += [targets.table(plan, "A1"), targets.manifest(plan)]
    for target in made:
        for name in target.outputs:
            if name.endswith(".parquet"):
                spec, record = read_metadata(plan.root / name)
                assert spec == target.request
                assert record["made_of"] == digest_of(plan.root / name) == target.made_of
    for run_id, run in plan.runs.items():
        for name in plan.block_files(run_id):
            assert read_metadata(plan.root / name)[0] == run.spec
            assert digest_of(plan.root / name) == run_id


def test_the_manifest_has_a_row_for_each_run_and_experiment(plan):
    listed = read_table(plan.root / targets.MANIFEST).to_pandas()
    assert list(listed["run_id"]) == list(plan.runs)
    assert list(listed["lambda"]) == [0.5, 2.0]
    assert all(listed["experiment"] == "lin")
    assert [list(figures) for figures in listed["figures"]] == [["A1"], ["A1"]]
    assert all(listed["realizations"] == 3) and all(listed["blocks"] == 1)
    assert all(listed["seconds"] >= 0) and all(listed["device"] == "cpu")


def test_a_manifest_of_runs_without_blocks_is_refused_by_name(tmp_path):
    target = targets.manifest(Plan(read(CONFIGURATION), tmp_path))
    output = tmp_path / target.outputs[0]
    with pytest.raises(StorageError, match=r"results/histories/[0-9a-f]{16}: holds no blocks"):
        list_runs(target.request, [output], tmp_path)
    assert not output.exists()


@pytest.mark.parametrize("name", ["0-2.parquet", "0-9.parquet"])
@pytest.mark.parametrize("damaged", [True, False])
def test_blocks_that_are_damaged_or_of_another_run_are_not_read(plan, tmp_path, name, damaged):
    run_id, other = plan.runs
    ours, theirs = (plan.root / plan.block_files(each)[0] for each in (run_id, other))
    folder = tmp_path / plan.runs[run_id].folder
    folder.mkdir(parents=True)
    (folder / name).write_bytes(ours.read_bytes()[:-100] if damaged else theirs.read_bytes())
    target = targets.summary(plan, run_id)
    outputs = [tmp_path / each for each in target.outputs]
    with pytest.raises(StorageError, match=r"0-2\.parquet: (not a readable|was made from|No such)"):
        summarize_run(target.request, outputs, tmp_path)
    # As the plan sees it, which has this block computed.
    shutil.copyfile(ours, folder / "0-2.parquet")
    summarize_run(target.request, outputs, tmp_path)
    for made in outputs:
        assert read_table(made).equals(read_table(plan.root / made.relative_to(tmp_path)))
    listed = [each for each in targets.manifest(plan).request["runs"] if each["run_id"] == run_id]
    list_runs({"runs": listed}, [tmp_path / "runs.parquet"], tmp_path)
    assert read_table(tmp_path / "runs.parquet")["blocks"].to_pylist() == [1]


def test_a_table_is_drawn_and_pictures_say_what_they_are_made_of(plan, tmp_path):
    target = targets.pictures(plan, "A1")
    pictures = [tmp_path / f"A1.{suffix}" for suffix in ("pdf", "svg", "png")]
    draw_figure(target.request, pictures, plan.root)
    pdf, svg, png = (path.read_bytes() for path in pictures)
    assert png.startswith(b"\x89PNG") and pdf.startswith(b"%PDF") and b"<svg" in svg
    assert all(target.made_of.encode() in picture for picture in (pdf, svg, png))


def test_whoever_reads_compares_with_what_was_asked_for(plan, tmp_path):
    other = {**CONFIGURATION, "accuracy_threshold": 0.6}
    today = Plan(read(other), plan.root)
    for step, target in [
        (tabulate_figure, targets.table(today, "A1")),
        (draw_figure, targets.pictures(today, "A1")),
        (check_claims, targets.claims(today)),
    ]:
        with pytest.raises(StorageError, match="was made from a different request or code"):
            step(target.request, [tmp_path / Path(each).name for each in target.outputs], plan.root)
    assert list(tmp_path.iterdir()) == []


def program(monkeypatch, script, request, *arguments):
    """Run a rule's script in this process; return its exit status."""
    monkeypatch.setattr(sys, "argv", [script, "--log", "logs/log.txt", *arguments])
    monkeypatch.setattr(sys, "stdin", io.StringIO(request))
    try:
        runpy.run_path(str(SCRIPTS / script), run_name="__main__")
    except SystemExit as left:
        return left.code
    return 0


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_script_writes_its_log_and_the_terminal(here, plan, monkeypatch, capsys):
    run_id = next(iter(plan.runs))
    request = json.dumps(targets.block(plan, run_id, "0-2").request)
    options = ("--device", "cpu", "--threads", "1")
    assert program(monkeypatch, "train_block.py", request, *options, "0-2.parquet") == 0
    assert read_table(here / "0-2.parquet").equals(
        read_table(plan.root / plan.block_files(run_id)[0])
    )
    said = capsys.readouterr().err
    assert "3/3" in said
    assert (here / "logs/log.txt").read_text() == said


def test_a_fault_of_the_program_is_in_the_log(here, monkeypatch, capsys):
    arguments = ("--root", ".", "runs.parquet")
    assert program(monkeypatch, "list_runs.py", '{"no": "runs"}', *arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("Traceback") and "KeyError: 'runs'" in said
    assert (here / "logs/log.txt").read_text() == said


@pytest.mark.parametrize("step", ["tabulate", "draw"])
@pytest.mark.parametrize("fault", [ValueError, IndexError])
def test_what_a_figure_did_not_foresee_names_it_and_its_experiments(
    here, plan, monkeypatch, capsys, step, fault
):
    def fails(*_):
        raise fault("zero-size array")

    monkeypatch.setattr(a1, step, fails)
    target = {"tabulate": targets.table, "draw": targets.pictures}[step](plan, "A1")
    outputs = [Path(each).name for each in target.outputs]
    arguments = ("--root", str(plan.root), *outputs)
    assert program(monkeypatch, f"{target.step}.py", json.dumps(target.request), *arguments) == 1
    *rest, line = capsys.readouterr().err.splitlines()
    assert "figure A1, drawn from lin, cannot be made with these lists and options" in line
    if fault is ValueError:
        assert not rest and line.startswith("error: zero-size array; figure A1")
    else:
        assert rest[0].startswith("Traceback") and "zero-size array" in rest[-1]
    assert not any((here / each).exists() for each in outputs)


def test_a_log_that_cannot_be_written_costs_no_result(here, plan, monkeypatch):
    (here / "logs").mkdir()
    (here / "logs/log.txt").symlink_to("/dev/full")
    request = json.dumps(targets.block(plan, next(iter(plan.runs)), "0-2").request)
    options = ("--device", "cpu", "--threads", "1")
    assert program(monkeypatch, "train_block.py", request, *options, "0-2.parquet") == 0
    assert read_table(here / "0-2.parquet").num_rows > 0


BLOCK = ("--device", "cpu", "--threads", "1", "0-0.parquet")
SPEC = {"model": "linear", "solver": "gradient_descent", "measure": "dynamics"}
HERE = ("--root", ".")
UNMADE = {"spec": SPEC, "folder": "none", "realizations": 1}
UNMADE |= {"threshold": 0.95, "loss_threshold": 1e-3}
REFUSED = [
    ("train_block.py", {"spec": SPEC, "block": "zero"}, BLOCK, "must be first-last"),
    ("train_block.py", {"spec": SPEC, "block": "9-0"}, BLOCK, "must be first-last"),
    ("train_block.py", {"spec": {}, "block": "0-0"}, BLOCK, "model is missing"),
    ("train_block.py", {"spec": SPEC, "block": "0-0"}, ("--device", "tpu", *BLOCK[2:]), "tpu"),
    ("summarize_run.py", UNMADE, (*HERE, "summary.parquet", "scalars.parquet"), "none/0-0.parquet"),
    ("draw_figure.py", {"figure": "A3", "table": "0"}, (*HERE, "A3.png"), "A3.parquet: No such"),
    ("draw_figure.py", {"figure": "A1", "table": "0"}, (*HERE, "A1.png"), "not a readable Parquet"),
    ("list_runs.py", {"runs": [{"folder": "no"}]}, (*HERE, "runs.parquet"), "holds no blocks"),
]


@pytest.mark.parametrize(("script", "request_", "arguments", "says"), REFUSED)
def test_what_cannot_be_done_is_one_line(
    here, monkeypatch, capsys, script, request_, arguments, says
):
    garbage = here / "figures/tables/A1.parquet"
    garbage.parent.mkdir(parents=True)
    garbage.write_text("garbage")
    assert program(monkeypatch, script, json.dumps(request_), *arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and says in line
    assert {path.name for path in here.iterdir()} == {"figures", "logs"}


def test_a_request_that_is_no_json_is_one_line(here, monkeypatch, capsys):
    assert program(monkeypatch, "train_block.py", "{", *BLOCK) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
