"""Jobs that are asked to stop: all signals save and leave, in one line a job."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest
from signals_heard import STOPPING, signals_heard


@pytest.fixture(autouse=True)
def heard():
    with signals_heard():
        yield


# A step that goes on for ever, in one of the places where a signal may find a job.
STEP = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from linear_grokking.runtime.checkpoints import BlockCheckpoint, interruptible
    from linear_grokking.runtime.files import whole_file
    from linear_grokking.runtime.progress import progress
    from linear_grokking.workflow.steps.script import run

    def wait(checkpoint=None):
        print("started", flush=True)
        for _ in range(1000):
            time.sleep(0.01)
            if checkpoint:
                checkpoint.offer(lambda: {"x": 1})

    def step(request, outputs):
        checkpoint = BlockCheckpoint("side", "spec", 1e9).solver([0])
        if request == "before":
            wait()
        with interruptible():
            if request == "inside":
                wait(checkpoint)
        with whole_file(outputs[0]) as temporary:
            if request == "after":
                wait()
            temporary.touch()

    run("__main__:step")
""")


@pytest.fixture
def job(tmp_path):
    """Start a job in a process group of its own; wait until it waits."""
    (tmp_path / "step.py").write_text(STEP)
    processes = []

    def start(place, *before, stderr=subprocess.PIPE):
        command = [*before, sys.executable, "step.py", "--log", "logs/log.txt", "output"]
        process = subprocess.Popen(
            command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
            text=True, start_new_session=True,
        )  # fmt: skip
        processes.append(process)
        process.stdin.write(json.dumps(place))
        process.stdin.close()
        process.stdin = None
        assert process.stdout.readline() == "started\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("asked", STOPPING)
@pytest.mark.parametrize("place", ["before", "inside", "after"])
def test_a_group_that_is_asked_to_stop_says_one_line_a_job(job, tmp_path, place, asked):
    process = job(place)
    os.killpg(process.pid, asked)
    _, said = process.communicate(timeout=30)
    (line,) = said.splitlines()
    if place == "inside":
        assert process.returncode == 1
        assert line.startswith("error: asked to stop; progress is in")
        assert os.listdir(tmp_path / "side") == ["solver.npz"]
    else:
        assert process.returncode == 130
        assert line == "interrupted"
    assert (tmp_path / "logs/log.txt").read_text() == said
    assert sorted(set(os.listdir(tmp_path)) - {"side"}) == ["logs", "step.py"]


def test_a_job_under_nohup_outlives_its_terminal(job, tmp_path):
    process = job("inside", "nohup")
    os.killpg(process.pid, signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)
    assert not (tmp_path / "side").exists()
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(timeout=30) == 1
    assert os.listdir(tmp_path / "side") == ["solver.npz"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_job_whose_terminal_is_gone_saves_and_leaves(job, tmp_path, monkeypatch, unbuffered):
    """As after Ctrl-C in `snakemake 2>&1 | tee`, which stops tee first."""
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    reading, writing = os.pipe()
    process = job("inside", stderr=writing)
    os.close(reading)
    os.close(writing)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=30) == 1
    assert os.listdir(tmp_path / "side") == ["solver.npz"]
    (line,) = (tmp_path / "logs/log.txt").read_text().splitlines()
    assert line.startswith("error: asked to stop")


FAILING = textwrap.dedent("""
    import numpy as np
    from linear_grokking.results.storage import StorageError
    from linear_grokking.workflow.steps.script import run

    def step(request, outputs):
        if request == "own":
            raise StorageError("runs.parquet", "is damaged")
        return np.ones(2) + np.ones(3)

    run("__main__:step")
""")


@pytest.mark.parametrize("whose", ["own", "NumPy's"])
def test_the_log_says_where_a_librarys_error_arose(tmp_path, whose):
    (tmp_path / "step.py").write_text(FAILING)
    done = subprocess.run(
        [sys.executable, "step.py", "--log", "log.txt", "output"],
        cwd=tmp_path, input=json.dumps(whose), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    *before, last = (tmp_path / "log.txt").read_text().splitlines()
    assert line == last and line.startswith("error: ")
    if whose == "own":
        assert before == []
    else:
        assert before[0].startswith("Traceback")
        assert any('step.py", line 9, in step' in each for each in before)


def test_a_log_that_cannot_be_opened_is_one_line(tmp_path):
    (tmp_path / "step.py").write_text(STEP)
    (tmp_path / "logs").touch()
    done = subprocess.run(
        [sys.executable, "step.py", "--log", "logs/log.txt", "output"],
        cwd=tmp_path, input="{}", capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and "logs" in line
