"""The command line: what a person uses, and one line where something is wrong."""

import copy
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from small_plan import CONFIGURATION

from linear_grokking.cli import COMMANDS, main
from linear_grokking.config import MAIN
from linear_grokking.results.places import REPOSITORY
from linear_grokking.workflow.plan import Plan, json_schema, noted_configurations, read


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


def test_schema(capsys):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json_schema()


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_there_and_says_what_it_takes(capsys, command):
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    assert f"usage: linear-grokking {command} [-h]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["plan", "--configfile", "none.yaml"], "none.yaml"),
        (["train", "--seed", "-1"], "--seed: -1: must be at least 0"),
        (["train", "--lamda=3"], "--lamda=3; did you mean --lambda? (see linear-grokking train --"),
        (["plan", "all"], "unrecognized arguments: all (see linear-grokking plan --help)"),
        (["--lamda", "train"], "unrecognized arguments: --lamda (see linear-grokking --help)"),
        (["nonsense"], "nonsense"),
        ([], ""),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(folder, capsys, arguments, says):
    before = sorted(folder.rglob("*"))
    assert says in error_of(capsys, *arguments)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--lr=-1"],
        ["predict", "linear", "--lr=-1"],
        ["analyze", "rows.csv", "--force"],
        ["plan", "--configfile", "wrong.yaml"],
    ],
)
def test_wrong_options_have_one_status_whatever_the_command(folder, capsys, arguments):
    (folder / "wrong.yaml").write_text("sede: 1\n")
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")


def test_clean_stale_lists_and_removes_what_no_configuration_needs(folder, capsys):
    needed = Plan(read(CONFIGURATION))
    for run_id in (*needed.runs, "0" * 16):
        path = folder / f"results/summaries/{run_id}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    stale = "results/summaries/0000000000000000.parquet\n"

    assert main(["clean-stale"]) == 0
    said = capsys.readouterr()
    counted = "needed by config/config.yaml: 2 runs\n"
    assert (said.out, said.err) == (stale, counted + "1 stale, kept\n")
    assert main(["clean-stale", "--remove"]) == 0
    assert capsys.readouterr().out == stale
    assert len(list((folder / "results/summaries").iterdir())) == 2
    assert main(["clean-stale", "--remove"]) == 0
    assert capsys.readouterr().err == counted + "0 stale, removed\n"


def test_clean_stale_keeps_what_any_configuration_made(folder, capsys):
    raw = copy.deepcopy(CONFIGURATION)
    raw["experiments"]["lin"]["lambda"] = [0.25]
    (run_id,) = Plan(read(raw)).runs
    path = folder / f"results/summaries/{run_id}.parquet"
    path.parent.mkdir(parents=True)
    path.write_text("")
    noted_configurations.write(folder, ["config/config.yaml", "mine/small.yml", "seed=1"], raw)
    assert main(["clean-stale", "--remove"]) == 0
    said = capsys.readouterr()
    assert said.out == "" and path.exists()
    assert "needed by config/config.yaml mine/small.yml seed=1 (results/configurations/" in said.err
    # Built again from the same places, it takes the place of what it was.
    noted_configurations.write(
        folder, ["config/config.yaml", "mine/small.yml", "seed=1"], CONFIGURATION
    )
    assert main(["clean-stale"]) == 0
    assert capsys.readouterr().out == f"results/summaries/{run_id}.parquet\n"


def test_a_configuration_may_have_a_long_name_in_any_alphabet(folder):
    sources = [f"{letter * 60}.yaml" for letter in "設定"]
    noted_configurations.write(folder, sources, CONFIGURATION)
    ((read_sources, raw),) = noted_configurations.read(folder).values()
    assert (read_sources, raw) == (sources, CONFIGURATION)


def test_clean_stale_counts_the_main_file_as_it_is_now(folder, capsys):
    raw = copy.deepcopy(CONFIGURATION)
    raw["experiments"]["lin"]["lambda"] = [0.25]
    (run_id,) = Plan(read(raw)).runs
    (folder / "results/summaries").mkdir(parents=True)
    (folder / f"results/summaries/{run_id}.parquet").write_text("")
    noted_configurations.write(folder, ["config/config.yaml"], raw)
    assert main(["clean-stale"]) == 0
    assert capsys.readouterr().out == f"results/summaries/{run_id}.parquet\n"


def test_a_folder_without_a_configuration_takes_the_repositorys(folder, capsys):
    (folder / MAIN).unlink()
    path = folder / "results/summaries/0000000000000000.parquet"
    path.parent.mkdir(parents=True)
    path.write_text("")
    assert main(["plan"]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    runs = last.split()[1]
    assert main(["clean-stale"]) == 0
    said = capsys.readouterr()
    assert f"needed by {REPOSITORY / MAIN}: {runs} runs\n" in said.err and path.name in said.out
    # What lies there may be of a workflow that uses this one as a module.
    assert "nothing was removed" in error_of(capsys, "clean-stale", "--remove")
    assert path.exists()
    noted_configurations.write(folder, [str(REPOSITORY / MAIN)], CONFIGURATION)
    assert main(["clean-stale", "--remove"]) == 0
    assert f"needed by {REPOSITORY / MAIN}: {runs} runs\n1 stale" in capsys.readouterr().err
    assert not path.exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"sources": []}', '{"configuration": {}}'])
def test_clean_stale_removes_nothing_for_a_configuration_it_cannot_read(folder, capsys, content):
    path = folder / "results/summaries/0000000000000000.parquet"
    path.parent.mkdir(parents=True)
    path.write_text("")
    note = folder / "results/configurations/mine.json"
    note.parent.mkdir()
    note.write_text(content)
    assert "configurations/mine.json: is not a valid" in error_of(capsys, "clean-stale", "--remove")
    note.write_text(
        json.dumps({"sources": ["mine.yaml"], "configuration": CONFIGURATION | {"sede": 1}})
    )
    assert "configurations/mine.json: sede: unknown key" in error_of(
        capsys, "clean-stale", "--remove"
    )
    assert path.exists()


def test_plan_reads_a_whole_configuration_from_standard_input(folder, capsys, monkeypatch):
    raw = copy.deepcopy(CONFIGURATION)
    raw["experiments"]["lin"]["lambda"] = [0.25]
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(raw)))
    assert main(["plan", "--configfile", "-"]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert last.split()[:2] == ["all", "1"]


def test_clean_stale_removes_nothing_while_snakemake_works(folder, capsys):
    locks = folder / ".snakemake/locks"
    locks.mkdir(parents=True)
    (locks / "0.input.lock").write_text("")
    path = folder / "results/summaries/0000000000000000.parquet"
    path.parent.mkdir(parents=True)
    path.write_text("")
    assert "Snakemake is running here" in error_of(capsys, "clean-stale", "--remove")
    assert path.exists()


def test_the_package_and_the_console_script_run_the_same(folder):
    script = shutil.which("linear-grokking", path=str(Path(sys.executable).parent))
    said = []
    for command in ([sys.executable, "-m", "linear_grokking"], [script] if script else []):
        if command:
            done = subprocess.run(
                [*command, "--help"], capture_output=True, text=True, check=True, env=os.environ
            )
            said.append(done.stdout)
    assert len(set(said)) == 1 and "clean-stale" in said[0]
