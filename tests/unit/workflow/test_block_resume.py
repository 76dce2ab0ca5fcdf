"""A block that is killed at random moments ends with the bits of one that is not."""

import functools
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from linear_grokking.jobs import kinds, logistic
from linear_grokking.jobs.kinds import kind_of
from linear_grokking.runtime.checkpoints import Interrupted
from linear_grokking.runtime.program import INTERRUPTED
from linear_grokking.workflow.plan import Plan, read, targets
from linear_grokking.workflow.steps import block

# Each kind of job: solvers that save their state in mid-run, and blocks of quick realizations.
EXPERIMENTS = {
    "logistic_descent": {
        "model": "logistic",
        "solver": "gradient_descent",
        "n_train": 40,
        "d": 16,
        "sigma": 5,
        "t_max": 6e5,
        "records": 30,
        "realizations": 2,
    },
    "logistic_flow": {
        "model": "logistic",
        "n_train": 400,
        "d": 180,
        "sigma": 5,
        "t_max": 1e9,
        "records": 60,
        "realizations": 20,
    },
    "logistic_adam": {
        "model": "logistic",
        "solver": "adam",
        "n_train": 40,
        "d": 16,
        "sigma": 5,
        "t_max": 1e4,
        "records": 30,
        "realizations": 3,
    },
    "linear_descent": {
        "model": "linear",
        "solver": "gradient_descent",
        "d_in": 30,
        "n_train": 20,
        "n_gen": 50,
        "t_max": 5e4,
        "records": 30,
        "realizations": 2,
    },
    "two_layer_flow": {
        "model": "two_layer",
        "activation": "tanh",
        "d_in": 120,
        "d_h": 40,
        "d_out": 3,
        "n_train": 150,
        "n_gen": 100,
        "t_max": 1e5,
        "records": 30,
        "realizations": 3,
    },
    "linear_spectral": {
        "model": "linear",
        "d_in": 200,
        "n_train": 150,
        "n_gen": 500,
        "t_max": 1e5,
        "records": 30,
        "realizations": 12,
    },
    "separability": {
        "measure": "separability",
        "n_train": 200,
        "d": 90,
        "margin": True,
        "realizations": 20,
    },
}

# A block's script, saving every hundredth of a second in place of every half minute.
EAGER = textwrap.dedent("""
    import functools
    from linear_grokking.workflow.steps import block
    from linear_grokking.workflow.steps.script import run
    block.BlockCheckpoint = functools.partial(block.BlockCheckpoint, interval_s=0.01)
    run("linear_grokking.workflow.steps.block:train_block", device=str, threads=int)
""")


class Job:
    """One block of an experiment, in a folder of its own."""

    def __init__(self, folder, name):
        experiment = EXPERIMENTS[name]
        plan = Plan(read({"seed": 1, "experiments": {name: experiment}, "figures": {}}))
        (identity,) = plan.runs
        self.block = f"0-{experiment['realizations'] - 1}"
        self.output = folder / identity / f"{self.block}.parquet"
        self.request = json.dumps(targets.block(plan, identity, self.block).request)
        options = ["--log", folder / "log.txt", "--device", "cpu", "--threads", "1"]
        self.command = [sys.executable, "-c", EAGER, *options, self.output]

    def run(self, kill=None, after_s=0.0):
        """Run the job; send it a signal so long after it has started to compute."""
        process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        process.stdin.write(self.request)
        process.stdin.close()
        process.stdin = None
        said = ""
        while "elapsed" not in said and (line := process.stderr.readline()):
            said += line  # until it computes: kills fall on the work, not on imports
        started = time.monotonic()
        if kill is not None:
            time.sleep(after_s)
            process.send_signal(kill)
        said += process.communicate(timeout=300)[1]
        return process.returncode, said, time.monotonic() - started


def kill_at_random(tmp_path, name, kills):
    """Kill a job again and again, let it finish, and compare; return how the runs ended."""
    undisturbed, killed = Job(tmp_path / "undisturbed", name), Job(tmp_path / "killed", name)
    code, said, seconds = undisturbed.run()
    assert code == 0, said
    moments = random.Random(name)
    codes = []
    for kill in range(kills):
        # A job that goes on where it stopped has less and less left to do.
        after_s = moments.uniform(0, 0.8 * seconds / kills)
        chosen = signal.SIGTERM if kill % 2 else signal.SIGKILL
        code, said, _ = killed.run(chosen, after_s)
        assert code in (0, 1, INTERRUPTED, -signal.SIGKILL, -signal.SIGTERM)
        assert code != 1 or "error: asked to stop; progress is in" in said
        codes.append(code)
    code, said, _ = killed.run()
    assert code == 0, said
    assert pq.read_table(killed.output).equals(pq.read_table(undisturbed.output))
    visible = [entry for entry in os.listdir(killed.output.parent) if not entry.startswith(".")]
    assert visible == [killed.output.name]
    assert not list(killed.output.parent.glob("*.resume"))
    return codes


@pytest.mark.parametrize("name", ["logistic_descent", "logistic_flow", "two_layer_flow"])
def test_a_killed_block_ends_with_the_same_bits(tmp_path, name):
    codes = kill_at_random(tmp_path, name, kills=2)
    assert -signal.SIGKILL in codes


@pytest.mark.long
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_block_killed_many_times_ends_with_the_same_bits(tmp_path, name):
    for attempt in range(3):
        codes = kill_at_random(tmp_path / str(attempt), name, kills=8)
        assert any(codes)


def test_a_job_told_to_stop_says_so_and_goes_on_later(tmp_path):
    job = Job(tmp_path, "logistic_descent")
    code, said, _ = job.run(signal.SIGTERM, after_s=0.3)
    assert code == 1
    assert f"error: asked to stop; progress is in {job.output.parent}" in said
    assert "Traceback" not in said
    assert not job.output.exists()
    side = job.output.with_name(f".{job.block}.resume")
    assert os.listdir(side)
    assert job.run()[0] == 0
    assert not side.exists()


def test_side_files_of_another_spec_are_left_alone(tmp_path):
    job, other = Job(tmp_path, "logistic_descent"), Job(tmp_path, "logistic_flow")
    assert other.run(signal.SIGTERM)[0] == 1
    side = job.output.with_name(f".{job.block}.resume")
    side.mkdir(parents=True)
    for path in other.output.with_name(f".{other.block}.resume").iterdir():
        path.rename(side / path.name)
    code, said, _ = job.run()
    assert code == 0
    assert "it belongs to another spec or code" in said


def test_side_files_of_other_code_are_left_alone(tmp_path, monkeypatch, caplog):
    experiment = EXPERIMENTS["separability"]
    (run,) = Plan(read({"seed": 1, "experiments": {"x": experiment}, "figures": {}})).runs.values()
    request = {"spec": run.spec, "block": "0-3"}
    work = functools.partial(block.train_block, request, device="cpu", threads=1)
    # Stopped before the first realization is over: the side files hold that one.
    monkeypatch.setattr(
        block,
        "progress",
        lambda done, **_: (os.kill(os.getpid(), signal.SIGTERM) or k for k in done),
    )
    stopped = [tmp_path / name / "0-3.parquet" for name in ("same", "edited")]
    for output in stopped:
        with pytest.raises(Interrupted):
            work([output])
        assert list(output.parent.glob(".0-3.resume/finished-*"))
    monkeypatch.undo()
    caplog.set_level("INFO", "linear_grokking")
    work([stopped[0]])
    assert "1 realizations done" in caplog.text
    caplog.clear()
    monkeypatch.setattr(kinds.Kind, "code", lambda self, spec: "the code after an edit")
    work([stopped[1]])
    assert "it belongs to another spec or code" in caplog.text
    assert "realizations done" not in caplog.text
    assert os.listdir(stopped[1].parent) == ["0-3.parquet"]
    assert pq.read_table(stopped[1]).equals(pq.read_table(stopped[0]))


def test_a_batch_is_kept_whole_or_not_at_all(tmp_path, monkeypatch):
    asked = []

    def in_batches(spec, realizations, context, **given):
        asked.append(list(realizations))
        for start in range(0, len(realizations), 3):
            batch = realizations[start : start + 3]
            context.checkpoint(batch)
            for realization in batch:
                if realization == 4 and len(asked) == 1:
                    raise MemoryError
                columns = {field.name: np.full(2, realization) for field in kind_of(spec).schema}
                columns.pop("realization")
                yield realization, columns

    monkeypatch.setattr(logistic, "dynamics", in_batches)
    eager = functools.partial(block.BlockCheckpoint, interval_s=0)
    monkeypatch.setattr(block, "BlockCheckpoint", eager)
    settings = EXPERIMENTS["logistic_flow"] | {"realizations": 6}
    (run,) = Plan(read({"seed": 1, "experiments": {"x": settings}, "figures": {}})).runs.values()
    output = tmp_path / "0-5.parquet"
    request = {"spec": run.spec, "block": "0-5"}
    work = functools.partial(block.train_block, request, [output], device="cpu", threads=1)
    with pytest.raises(MemoryError):
        work()
    work()
    # 3 was done, but not its batch.
    assert asked == [[0, 1, 2, 3, 4, 5], [3, 4, 5]]
    assert pq.read_table(output)["realization"].to_pylist() == [k for k in range(6) for _ in "ab"]
