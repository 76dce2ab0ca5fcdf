"""The steps of the workflow, and the programs that the rules' scripts make of them."""

import io
import json
import runpy
import sys
from pathlib import Path

import pytest
from small_plan import CONFIGURATION

from linear_grokking.results.storage import StorageError, read_metadata, read_table
from linear_grokking.workflow.plan import Plan, read
from linear_grokking.workflow.steps.export import export_csv
from linear_grokking.workflow.steps.figures import draw_figure
from linear_grokking.workflow.steps.manifest import list_runs

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"


@pytest.fixture(scope="module")
def plan(tmp_path_factory, make):
    """Return a plan whose results are there."""
    plan = Plan(read(CONFIGURATION), tmp_path_factory.mktemp("steps"))
    make(plan)
    return plan


def test_each_file_says_what_it_is(plan):
    for run_id, run in plan.runs.items():
        for name in (*plan.block_files(run_id), *plan.summary_files(run_id)):
            assert read_metadata(plan.root / name)[0] == run.spec


def test_the_manifest_has_a_row_for_each_run_and_experiment(plan):
    listed = read_table(plan.root / plan.manifest_file).to_pandas()
    assert list(listed["run_id"]) == list(plan.runs)
    assert list(listed["lambda"]) == [0.5, 2.0]
    assert all(listed["experiment"] == "lin")
    assert [list(figures) for figures in listed["figures"]] == [["A1"], ["A1"]]
    assert all(listed["realizations"] == 3) and all(listed["blocks"] == 1)
    assert all(listed["seconds"] >= 0) and all(listed["device"] == "cpu")


def test_a_manifest_of_runs_without_blocks_is_refused_by_name(tmp_path):
    plan = Plan(read(CONFIGURATION), tmp_path)
    output = tmp_path / plan.manifest_file
    with pytest.raises(StorageError, match=r"results/histories/[0-9a-f]{16}: holds no blocks"):
        list_runs(json.loads(plan.manifest_request()), [output], tmp_path)
    assert not output.exists()


def test_a_table_is_drawn_and_exported(plan, tmp_path):
    request = {"table": str(plan.root / plan.tables()[0])}
    draw_figure(request, [tmp_path / "A1.png", tmp_path / "A1.pdf"])
    assert (tmp_path / "A1.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "A1.pdf").read_bytes().startswith(b"%PDF")
    export_csv(request, [tmp_path / "A1.csv"])
    lines = (tmp_path / "A1.csv").read_text().splitlines()
    assert len(lines) == 1 + read_table(Path(request["table"])).num_rows
    assert lines[0].startswith("panel,series,source,x,y")


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
    request = plan.block_request(run_id, "0-2")
    options = ("--device", "cpu", "--threads", "1")
    assert program(monkeypatch, "train_block.py", request, *options, "0-2.parquet") == 0
    assert read_table(here / "0-2.parquet").equals(
        read_table(plan.root / plan.block_files(run_id)[0])
    )
    said = capsys.readouterr().err
    assert "3/3" in said
    assert (here / "logs/log.txt").read_text() == said


def test_a_fault_of_the_program_is_in_the_log(here, monkeypatch, capsys):
    assert program(monkeypatch, "list_runs.py", '{"no": "runs"}', "runs.parquet") == 1
    said = capsys.readouterr().err
    assert said.startswith("Traceback") and "KeyError: 'runs'" in said
    assert (here / "logs/log.txt").read_text() == said


def test_a_log_that_cannot_be_written_costs_no_result(here, plan, monkeypatch):
    (here / "logs").mkdir()
    (here / "logs/log.txt").symlink_to("/dev/full")
    request = plan.block_request(next(iter(plan.runs)), "0-2")
    options = ("--device", "cpu", "--threads", "1")
    assert program(monkeypatch, "train_block.py", request, *options, "0-2.parquet") == 0
    assert read_table(here / "0-2.parquet").num_rows > 0


BLOCK = ("--device", "cpu", "--threads", "1", "0-0.parquet")
SPEC = {"model": "linear", "solver": "gradient_descent", "measure": "dynamics"}
UNMADE = {"spec": SPEC, "folder": "none", "realizations": 1}
UNMADE |= {"threshold": 0.95, "loss_threshold": 1e-3}
REFUSED = [
    ("train_block.py", {"spec": SPEC, "block": "zero"}, BLOCK, "must be first-last"),
    ("train_block.py", {"spec": SPEC, "block": "9-0"}, BLOCK, "must be first-last"),
    ("train_block.py", {"spec": {}, "block": "0-0"}, BLOCK, "model is missing"),
    ("train_block.py", {"spec": SPEC, "block": "0-0"}, ("--device", "tpu", *BLOCK[2:]), "tpu"),
    ("summarize_run.py", UNMADE, ("summary.parquet", "scalars.parquet"), "none/0-0.parquet"),
    ("draw_figure.py", {"table": "none.parquet"}, ("A1.png",), "none.parquet"),
    ("draw_figure.py", {"table": "garbage.parquet"}, ("A1.png",), "garbage.parquet"),
    ("list_runs.py", {"runs": [{"folder": "results/no"}]}, ("runs.parquet",), "holds no blocks"),
]


@pytest.mark.parametrize(("script", "request_", "arguments", "says"), REFUSED)
def test_what_cannot_be_done_is_one_line(
    here, monkeypatch, capsys, script, request_, arguments, says
):
    (here / "garbage.parquet").write_text("garbage")
    assert program(monkeypatch, script, json.dumps(request_), *arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and says in line
    assert {path.name for path in here.iterdir()} == {"garbage.parquet", "logs"}


def test_a_request_that_is_no_json_is_one_line(here, monkeypatch, capsys):
    assert program(monkeypatch, "train_block.py", "{", *BLOCK) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
