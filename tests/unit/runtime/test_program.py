"""How programs end: one line where that is enough, a traceback where the fault is ours."""

import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch
from signals_heard import STOPPING, signals_heard

import linear_grokking
from linear_grokking.cli import main
from linear_grokking.errors import LinearGrokkingError
from linear_grokking.runtime import devices, program
from linear_grokking.runtime.failures import line
from linear_grokking.solvers.separability import MarginError, UndecidedError

COMMAND = Path(sys.executable).with_name("linear-grokking")


@pytest.fixture(autouse=True)
def heard():
    with signals_heard():
        yield


def test_expected_failures_are_one_line():
    assert line(ValueError("eta = 0: must be positive")) == "error: eta = 0: must be positive"
    assert line(MemoryError()) == "error: MemoryError"
    for error in (MarginError(), UndecidedError(), OSError(), MemoryError(), ValueError()):
        assert line(error)
    assert line(torch.OutOfMemoryError())
    for error in (KeyError("eta"), RuntimeError(), RecursionError(), ArithmeticError()):
        assert line(error) is None


def test_memory_of_a_gpu_is_not_asked_of_a_torch_that_was_not_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")
    assert line(RuntimeError()) is None
    assert "torch" not in sys.modules


def test_all_errors_of_the_package_have_one_base():
    found = {}
    for module in pkgutil.walk_packages(linear_grokking.__path__, "linear_grokking."):
        if module.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            own = getattr(value, "__module__", "").startswith("linear_grokking")
            if isinstance(value, type) and issubclass(value, BaseException) and own:
                found[value.__name__] = value
    assert {"Interrupted", "MarginError", "StorageError", "ConfigurationError"} <= found.keys()
    others = [name for name, error in found.items() if not issubclass(error, LinearGrokkingError)]
    assert others == []


def raising(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MarginError("no bracket"), 1),
        (torch.OutOfMemoryError("CUDA out of memory"), 1),
        (OSError(28, "No space left on device"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_what_is_expected_ends_in_one_line(capsys, error, status):
    assert program.run(raising(error)) == status
    (said,) = capsys.readouterr().err.splitlines()
    assert str(error) in said


@pytest.mark.parametrize("error", [RuntimeError("dictionary changed size"), KeyError("eta")])
def test_a_fault_of_the_program_ends_with_its_traceback(capsys, error):
    assert program.run(raising(error)) == 1
    said = capsys.readouterr().err
    assert said.startswith("Traceback") and str(error) in said


def test_work_gives_the_status():
    assert program.run(lambda: None) == 0
    assert program.run(lambda: 2) == 2
    with pytest.raises(SystemExit):
        program.run(raising(SystemExit(0)))


@pytest.mark.parametrize("asked", STOPPING)
def test_signals_end_a_program_in_one_line(capsys, asked):
    before = signal.getsignal(asked)

    def work():
        os.kill(os.getpid(), asked)
        time.sleep(0.1)  # it arrives here at the latest
        pytest.fail("the signal did not arrive")

    assert program.run(work) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert signal.getsignal(asked) == before


def test_where_the_system_does_not_say_which_cores_are_ours_all_are(monkeypatch):
    assert 1 <= devices.cores() <= os.cpu_count()
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS
    assert devices.cores() == os.cpu_count()


SMALL = ["--d_in=8", "--n_train=16", "--n_test=16", "--n_epochs=100", "--records=5"]


def test_a_run_needs_nothing_of_linux_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert main(["train", *SMALL, "--output=o"]) == 0


@pytest.mark.parametrize("asked", STOPPING)
def test_a_run_that_is_asked_to_stop_leaves_nothing(tmp_path, asked):
    options = ["--solver=gradient_descent", *SMALL, "--n_epochs=1e8", "--output=o"]
    # By python -m it would now and then end by the signal itself: CPython does where one came
    # while a string was executed, as dataclasses do on import.
    process = subprocess.Popen(
        [COMMAND, "train", *options],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stderr.readline().startswith("training")
    os.killpg(process.pid, asked)
    said = process.communicate(timeout=60)[1].splitlines()
    assert process.returncode == 130
    assert said[-1] == "interrupted"
    assert not any("Traceback" in line for line in said)
    assert not os.listdir(tmp_path)


def test_a_reader_that_has_enough_is_no_error():
    # Far more than a pipe holds, of which the first line is read.
    first = f"{COMMAND} schema | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", first], capture_output=True, text=True)
    assert done.stdout == "{\n"
    assert done.stderr == ""
    assert done.returncode == program.NOT_READ == 128 + signal.SIGPIPE


def test_an_error_that_cannot_be_written_leaves_the_exit_status(monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    with open("/dev/full", "w") as full:
        done = subprocess.run([COMMAND, "plan", "--nonsense"], stderr=full)
    assert done.returncode == program.WRONG_OPTIONS


# ---- characters that a stream lacks ----


def in_ascii(*command, stdin=""):
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    return subprocess.run(
        [sys.executable, *command], env=environment, input=stdin, capture_output=True, text=True
    )


def test_commands_show_what_an_ascii_terminal_can(tmp_path):
    helped = in_ascii("-m", "linear_grokking", "train", "--help")
    assert helped.returncode == 0 and r"Learning rate \u03b7" in helped.stdout
    options = [*SMALL, f"--output={tmp_path / 'o'}", "--checkpoints=3"]
    trained = in_ascii("-m", "linear_grokking", "train", *options)
    assert trained.returncode == 0, trained.stderr
    assert r"\u2026" in trained.stdout and (tmp_path / "o/0-0.parquet").exists()


STEP = textwrap.dedent(r"""
    import logging
    from linear_grokking.runtime.progress import progress
    from linear_grokking.workflow.steps.script import run

    def step(request, outputs):
        print("λ")
        logging.getLogger("linear_grokking").info("λ \udcff")
        for _ in progress("ab", description="λ"):
            pass
        raise ValueError("λ = 0: must be positive")

    run("__main__:step")
""")


def test_steps_of_the_workflow_show_what_an_ascii_terminal_can(tmp_path):
    (tmp_path / "step.py").write_text(STEP, encoding="utf-8")
    log = tmp_path / "log.txt"
    done = in_ascii(tmp_path / "step.py", "--log", log, "output", stdin=json.dumps({}))
    assert done.returncode == 1
    assert done.stdout == "\\u03bb\n"
    assert done.stderr.splitlines()[-1] == r"error: \u03bb = 0: must be positive"
    assert log.read_text(encoding="utf-8").splitlines()[0] == r"λ \udcff"
    assert "Traceback" not in done.stderr
