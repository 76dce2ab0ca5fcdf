"""`linear-grokking analyze`: what is printed, what is written, what is refused."""

import functools
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from given_rows import one_label, teacher
from PIL import Image

from linear_grokking import analyze
from linear_grokking.analysis import classification
from linear_grokking.cli import main
from linear_grokking.results.storage import read_metadata
from linear_grokking.solvers.trajectory import Outcome

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    features, labels = one_label(0, 300, 0.2, 3)
    np.savez("classes.npz", X=features, y=labels)
    features, labels = teacher(0, 300, 0.4)
    np.savez("real.npz", X=features, y=labels)
    return tmp_path


def lines_of(capsys, *arguments):
    assert main(["analyze", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def refused(capsys, *arguments):
    try:
        status = main(["analyze", *arguments])
    except SystemExit as left:
        status = left.code
    assert status not in (0, None)
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    return line


def test_classes(capsys):
    found = analyze(**np.load("classes.npz"))
    text = "\n".join(lines_of(capsys, "classes.npz"))
    assert "label -1 is -1, 1 is +1" in text
    assert f"not separable, |S_inf| {found.across.s_inf_norm:.4g}" in text
    assert re.search(rf"95 % on held-out rows +{found.t_gen:.4g} steps$", text, re.MULTILINE)
    delay, ratio = found.t_gen - found.t_train, found.t_gen / found.t_train
    assert (
        f"reach the accuracy {delay:.4g} steps after training rows ({ratio:.3g} times as late)"
        in text
    )
    assert "not in range" not in text


def test_real_labels(capsys):
    found = analyze(**np.load("real.npz"))
    text = "\n".join(lines_of(capsys, "real.npz"))
    assert f"lr {found.tuned_eta:.4g}, momentum {found.tuned_momentum:.4g}" in text
    assert f"{found.largest_weight_decay:.4g}" in text
    assert "not in range" in text and "modes carry the loss" in text


@pytest.mark.parametrize("file", ["classes.npz", "real.npz"])
def test_json_is_the_analysis(file, capsys):
    found = analyze(**np.load(file), eta=0.02, seed=3)
    told = json.loads("\n".join(lines_of(capsys, file, "--json", "--eta=0.02", "--seed=3")))
    assert told["t_gen"] == pytest.approx(found.t_gen)
    assert told["eta"] == 0.02 and told.keys() == vars(found).keys()


def test_json_of_a_run_has_its_times_and_files(capsys, here):
    given = ("classes.npz", "--run", "--until=3e3", "--json", "--accuracy=0.9")
    told = json.loads("\n".join(lines_of(capsys, *given)))["run"]
    assert told["until"] == 3000
    assert all(Path(file).exists() for file in told["files"]) and len(told["files"]) == 3
    table = pd.read_parquet("analysis/analysis.parquet")
    for series in ("train", "gen"):
        first = table.loc[table[f"{series}_accuracy"] >= 0.9, "step"].min()
        last = table.loc[table["step"] < first, "step"].max()
        assert last <= told[f"t_{series}"] <= first
    assert told["t_train"] < told["t_gen"]
    told = json.loads("\n".join(lines_of(capsys, *given, "--until=2", "--force")))["run"]
    assert told["t_gen"] is None


def test_what_is_infinite_is_named_in_json(capsys):
    features, labels = one_label(0, 100, 0.2, 1)
    np.savez("hopeless.npz", X=features[:, 1:], y=labels)
    assert json.loads("\n".join(lines_of(capsys, "hopeless.npz", "--json")))["t_gen"] == "inf"
    text = "\n".join(lines_of(capsys, "hopeless.npz"))
    assert "held-out rows end below the accuracy by a forecast that is not in its range" in text


@pytest.mark.parametrize("file", ["classes.npz", "real.npz"])
def test_a_run_is_written_beside_its_forecast_and_not_over_another(file, capsys, here):
    text = "\n".join(lines_of(capsys, file, "--run", "--out=made", "--until=3e3"))
    assert "run: held-out rows" in text
    made = sorted(path.name for path in (here / "made").iterdir())
    assert made == ["analysis.parquet", "analysis.pdf", "analysis.png"]
    table = pd.read_parquet("made/analysis.parquet")
    assert table["step"].iloc[[0, -1]].tolist() == [0.0, 3000.0]
    quantities = {"train_loss", "gen_loss", "train_accuracy", "gen_accuracy"}
    assert quantities | {"step", "forecast_gen_accuracy"} <= set(table.columns)
    late = table[table["step"] > 1000]
    assert late["forecast_gen_accuracy"].to_numpy() == pytest.approx(
        late["gen_accuracy"].to_numpy(), abs=0.1
    )
    spec, record = read_metadata(here / "made/analysis.parquet")
    assert spec["file"] == file and spec["eta"] == 0.01 and "versions" in record
    assert json.loads(Image.open("made/analysis.png").text["spec"]) == spec

    before = {path: path.read_bytes() for path in (here / "made").iterdir()}
    assert "add --force" in refused(capsys, file, "--run", "--out=made")
    assert {path: path.read_bytes() for path in (here / "made").iterdir()} == before
    lines_of(capsys, file, "--run", "--out=made", "--until=100", "--force")
    assert pd.read_parquet("made/analysis.parquet")["step"].max() == 100


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["none.npz"], "none.npz: no such file"),
        (["classes.npz", "--label=z"], "no array z"),
        (["classes.npz", "--held-out=2"], "held_out = 2: must lie between 0 and 1"),
        (["classes.npz", "--task=sorting"], "invalid choice: 'sorting'"),
        (["classes.npz", "--lr=fast"], "argument --lr/--eta"),
        (["classes.npz", "--epsilon=0.1"], "epsilon = 0.1: has no meaning for two classes"),
        (["classes.npz", "--out=x"], "--out: has no meaning without --run"),
        (["classes.npz", "--until=5"], "--until: has no meaning without --run"),
        (["classes.npz", "--force"], "--force: has no meaning without --run"),
        (["classes.npz", "--run", "--until=0"], "--until 0: must be at least 1 and finite"),
        (["classes.npz", "--run", "--out=real.npz"], "--out real.npz: is not a folder"),
        (["classes.npz", "--run", "--out=real.npz/sub"], "real.npz is not a folder"),
        (["real.npz", "--lr=9"], "eta = 9: gradient descent diverges"),
        ([], "FILE"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments, says, capsys, here):
    before = sorted(here.rglob("*"))
    assert says in refused(capsys, *arguments)
    assert sorted(here.rglob("*")) == before


def test_a_run_with_steps_too_long_for_a_flow_is_literal(capsys):
    text = "\n".join(lines_of(capsys, "classes.npz", "--lr=5", "--run", "--until=200"))
    assert "the learning rate is too large" in text and "run: training rows" in text


def test_a_run_that_stops_early_names_the_options_of_analyze(capsys, monkeypatch):
    short = functools.partial(classification.gradient_flow, max_gradients=1)
    monkeypatch.setattr(classification, "gradient_flow", short)
    line = refused(capsys, "classes.npz", "--run", "--until=1e9")
    assert re.match(r"error: the run stopped after step \d+: .* lower --until or --lr", line)
    line = refused(capsys, "classes.npz", "--run", "--lr=1e306")
    assert "the weights or the loss overflowed; lower --lr" in line
    assert set(classification._FAILURES) == set(Outcome) - {Outcome.COMPLETED}


def test_nothing_heavy_is_imported():
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from linear_grokking.cli import main; "
            "assert main(['analyze', 'classes.npz']) == 0; print(*sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {"torch", "snakemake", "pydantic", "pandas", "matplotlib"}


def test_the_guide_is_true(here, capsys):
    """Every block of docs/analyze.md runs here, and prints what stands there."""
    text = (DOCS / "analyze.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    done = 0
    for k, (kind, block) in enumerate(blocks):
        if kind == "python":
            exec(compile(block, "analyze.md", "exec"), {})
            printed = capsys.readouterr().out
        elif kind == "bash":
            for line in block.splitlines():
                program, *arguments = shlex.split(line)
                assert program == "linear-grokking" and main(arguments) == 0
            printed = capsys.readouterr().out
        else:
            continue
        done += 1
        if k + 1 < len(blocks) and blocks[k + 1][0] == "text":
            assert _words(printed) == _words(blocks[k + 1][1])
        elif k + 1 < len(blocks) and not blocks[k + 1][0]:  # only how it ends
            told = _words(blocks[k + 1][1])
            assert _words(printed)[-len(told) :] == told
    assert done == 5


def _words(text):
    """Words and numbers, these to three digits."""
    found = re.findall(r"\d[\d.e+]*|[^\d\s]+", text)
    return [f"{float(word.rstrip('.')):.3g}" if word[0].isdigit() else word for word in found]
