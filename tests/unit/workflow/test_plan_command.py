"""`linear-grokking plan`: work of each figure, and hours on clusters of several sizes."""

import pytest
import yaml
from small_plan import CONFIGURATION

from linear_grokking.cli import main

LITERAL = {"model": "logistic", "solver": "adam", "n_train": 40, "d": 16, "t_max": 100}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    raw = CONFIGURATION | {"experiments": CONFIGURATION["experiments"] | {"literal": LITERAL}}
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text(yaml.safe_dump(raw))
    monkeypatch.chdir(tmp_path)


def test_it_tells_what_holds_a_gpu_where_there_are_some(folder, capsys):
    def last_lines(*arguments):
        assert main(["plan", *arguments]) == 0
        return [lines.splitlines() for lines in capsys.readouterr().out.split("\n\n")]

    ((_, *_, everything),) = last_lines()
    assert everything.split()[-1] == "0.000"
    (_, *_, everything), (header, none, two) = last_lines("--gpus", "0", "2", "--cores", "7")
    assert everything.split()[-1] != "0.000"
    assert header.split()[:4] == ["gpus", "cores", "gpu", "jobs"]
    assert none.split()[:4] == ["0", "7", "0", "3"]
    assert two.split()[:4] == ["2", "7", "1", "2"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--gpus", "-1"], "--gpus: -1: must be at least 0"),
        (["--gpus", "1", "--cores", "0"], "--cores: 0: must be at least 1"),
    ],
)
def test_numbers_that_mean_nothing_are_refused_in_one_line(folder, arguments, said, capsys):
    with pytest.raises(SystemExit) as left:
        main(["plan", *arguments])
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: argument {said} (see ")
