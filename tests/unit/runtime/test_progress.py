"""A log gets whole lines, seldom; a terminal gets a bar."""

import io
import itertools
import re
import sys

import pytest
import tqdm.std

from linear_grokking.runtime.progress import Progress, progress, read_line


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def second_per_look(monkeypatch):
    """A clock that moves on by a second each time it is read."""
    ticks = itertools.count()
    monkeypatch.setattr(tqdm.std, "time", lambda: float(next(ticks)))
    monkeypatch.setattr(tqdm.std.tqdm, "monitor_interval", 0)


def test_items_pass_through():
    assert list(progress("abc", description="letters")) == ["a", "b", "c"]


def test_log_gets_a_line_at_most_every_30_seconds(capsys, second_per_look):
    for _ in progress(range(200), description="E3 d=188"):
        pass
    text = capsys.readouterr().err
    assert "\r" not in text and text.endswith("\n")
    lines = text.splitlines()
    assert len(lines) == 8  # first, last, and one each 30 of the 200 seconds
    assert lines[0].startswith("E3 d=188: 0/200 realizations")
    assert lines[-1].startswith("E3 d=188: 200/200 realizations")
    for line in lines:
        assert re.fullmatch(
            r"E3 d=188: \d+/200 realizations, [\d:]+ elapsed, ([\d:]+|\?) left", line
        )


def test_units_can_be_reported_by_hand(capsys):
    with progress(total=10, description="flow", unit="steps") as bar:
        bar.update(4)
        bar.update(6)
    assert capsys.readouterr().err.splitlines()[-1].startswith("flow: 10/10 steps")


def test_terminal_gets_a_bar(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for _ in progress(range(3), description="runs"):
        pass
    text = terminal.getvalue()
    assert "\rruns: 100%|" in text and "3/3" in text


def test_a_line_of_a_log_is_read_back(capsys, second_per_look):
    for _ in progress(range(200), description="run 0: E3"):
        pass
    first, *_, late, last = map(read_line, capsys.readouterr().err.splitlines())
    assert first is not None and (first.done, first.total, first.left) == (0, 200, None)
    assert late is not None and late.elapsed >= 30 and late.left is not None and late.left > 0
    assert last is not None and (last.done, last.left) == (200, 0)


@pytest.mark.parametrize("line", ["", "error: x", "run 0: linear on CPU", "a: 1/2 steps"])
def test_another_line_is_none_of_progress(line):
    assert read_line(line) is None


def test_hours_are_read():
    line = "B1: 7/9 realizations, 1:02:03 elapsed, 12:34 left"
    assert read_line(line) == Progress(7, 9, 3723.0, 754.0)
