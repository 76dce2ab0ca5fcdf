"""The command line: each step, and one line where something is wrong."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from linear_grokking.cli import main
from linear_grokking.config import json_schema, read
from linear_grokking.plan import Plan
from linear_grokking.runs import canonical
from linear_grokking.storage import StorageError, read_metadata, read_table
from linear_grokking.workflow import write_manifest

CONFIGURATION = {
    "seed": 1,
    "experiments": {
        "lin": {
            "model": "linear",
            "d_in": 20,
            "lambda": [0.5, 2.0],
            "realizations": 3,
            "n_gen": 20,
            "t_max": 100,
            "records": 10,
        }
    },
    "figures": {
        "A1": {
            "dynamics": "lin",
            "times": "lin",
            "epsilon": [0.001],
            "lambda": {"start": 0.3, "stop": 1.2, "points": 2},
        }
    },
}
SPEC = canonical(next(iter(read(CONFIGURATION).experiments["lin"].grid(1))).spec)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text(yaml.safe_dump(CONFIGURATION))
    return tmp_path


def error_of(capsys, *arguments):
    """Return the one line that a command that cannot be done leaves on stderr."""
    try:
        status = main(list(arguments))
    except SystemExit as left:
        status = left.code
    assert status not in (0, None)
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("error: ")
    return line


def test_the_steps_of_the_workflow_one_by_one(folder, capsys):
    plan = Plan(read(CONFIGURATION))
    for run_id, run in plan.runs.items():
        spec, (block,) = plan.spec(run_id), plan.block_files(run_id)
        assert main(["block", spec, block, "--realizations", "0-2", "--device", "cpu"]) == 0
        counts = ["--realizations", "3", "--threshold", "0.95"]
        assert main(["summarize", spec, run.folder, plan.summary_file(run_id), *counts]) == 0
        assert read_metadata(Path(plan.summary_file(run_id)))[0] == run.spec
    write_manifest(json.loads(plan.manifest()), Path(), Path(plan.manifest_file))
    listed = read_table(Path(plan.manifest_file)).to_pandas()
    assert list(listed["run_id"]) == list(plan.runs)
    assert list(listed["lambda"]) == [0.5, 2.0]
    assert all(listed["experiment"] == "lin")
    assert [list(figures) for figures in listed["figures"]] == [["A1"], ["A1"]]
    assert all(listed["realizations"] == 3) and all(listed["blocks"] == 1)
    assert all(listed["seconds"] >= 0) and all(listed["device"] == "cpu")
    table, *pictures = "figures/tables/A1.parquet", "figures/A1.pdf", "figures/A1.png"
    assert main(["tabulate", plan.figure_request("A1"), table]) == 0
    assert {"loss", "accuracy"} <= set(read_table(Path(table))["panel"].to_pylist())
    assert main(["draw", table, *pictures]) == 0
    assert Path("figures/A1.png").read_bytes().startswith(b"\x89PNG")
    assert Path("figures/A1.pdf").read_bytes().startswith(b"%PDF")
    assert "3/3" in capsys.readouterr().err


def test_a_manifest_of_runs_without_blocks_is_refused_by_name(folder):
    plan = Plan(read(CONFIGURATION))
    with pytest.raises(StorageError, match=r"results/histories/[0-9a-f]{16}: holds no blocks"):
        write_manifest(json.loads(plan.manifest()), Path(), Path(plan.manifest_file))
    assert not Path(plan.manifest_file).exists()


def test_schema(capsys):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json_schema()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["block", SPEC, "0-0.parquet", "--realizations", "zero"], "must be first-last"),
        (["block", SPEC, "0-0.parquet", "--realizations", "9-0"], "must be first-last"),
        (["block", "{}", "0-0.parquet", "--realizations", "0-0"], "measure is missing"),
        (["block", "{", "0-0.parquet", "--realizations", "0-0"], "spec"),
        (["block", SPEC, "0-0.parquet", "--realizations", "0-0", "--device", "tpu"], "tpu"),
        (["summarize", SPEC, "none", "s.parquet", "--realizations", "1", "--threshold", "1"], ""),
        (["draw", "none.parquet", "A1.png"], "none.parquet"),
        (["draw", "garbage.parquet", "A1.png"], "garbage.parquet"),
        (["nonsense"], "nonsense"),
        ([], ""),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(folder, capsys, arguments, says):
    (folder / "garbage.parquet").write_text("garbage")
    before = sorted(folder.rglob("*"))
    assert says in error_of(capsys, *arguments)
    assert sorted(folder.rglob("*")) == before


def test_clean_stale_lists_and_removes_what_no_configuration_needs(folder, capsys):
    needed = Plan(read(CONFIGURATION))
    for run_id in (*needed.runs, "0" * 16):
        path = folder / f"results/summaries/{run_id}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    stale = "results/summaries/0000000000000000.parquet\n"

    assert main(["clean-stale"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == (stale, "1 stale, kept\n")
    assert main(["clean-stale", "--remove"]) == 0
    assert capsys.readouterr().out == stale
    assert len(list((folder / "results/summaries").iterdir())) == 2
    assert main(["clean-stale", "--remove"]) == 0
    assert capsys.readouterr().err == "0 stale, removed\n"


def test_clean_stale_keeps_what_an_overlay_needs(folder, capsys):
    overlay = {"experiments": {"lin": {"lambda": [0.25]}}}
    (folder / "config/small.yaml").write_text(yaml.safe_dump(overlay))
    raw = yaml.safe_load((folder / "config/config.yaml").read_text())
    raw["experiments"]["lin"]["lambda"] = [0.25]
    (run_id,) = Plan(read(raw)).runs
    (folder / "results/summaries").mkdir(parents=True)
    (folder / f"results/summaries/{run_id}.parquet").write_text("")
    for options, expected in [([], 0), (["--configfile", "config/small.yaml"], 0)]:
        assert main(["clean-stale", *options]) == 0
        assert len(capsys.readouterr().out.splitlines()) == expected
    assert main(["clean-stale", "--configfile", "config/config.yaml"]) == 0
    assert capsys.readouterr().out == f"results/summaries/{run_id}.parquet\n"


def test_clean_stale_removes_nothing_for_a_configuration_it_cannot_read(folder, capsys):
    path = folder / "results/summaries/0000000000000000.parquet"
    path.parent.mkdir(parents=True)
    path.write_text("")
    (folder / "config/broken.yaml").write_text("seed: [1\n")
    assert "config/broken.yaml, line 2" in error_of(capsys, "clean-stale", "--remove")
    (folder / "config/broken.yaml").write_text("sede: 1\n")
    assert "sede: unknown key" in error_of(capsys, "clean-stale", "--remove")
    assert path.exists()


def test_clean_stale_removes_nothing_while_snakemake_works(folder, capsys):
    locks = folder / ".snakemake/locks"
    locks.mkdir(parents=True)
    (locks / "0.input.lock").write_text("")
    path = folder / "results/summaries/0000000000000000.parquet"
    path.parent.mkdir(parents=True)
    path.write_text("")
    assert "Snakemake is at work here" in error_of(capsys, "clean-stale", "--remove")
    assert path.exists()


def test_the_package_and_the_console_script_run_the_same(folder):
    script = shutil.which("linear-grokking", path=str(Path(sys.executable).parent))
    for command in ([sys.executable, "-m", "linear_grokking"], [script] if script else []):
        if command:
            done = subprocess.run(
                [*command, "--help"], capture_output=True, text=True, check=True, env=os.environ
            )
            assert "clean-stale" in done.stdout
