"""Interrupted work gives the same bits as work that was not; side files are safe and cheap."""

import errno
import itertools
import logging
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from signals_heard import STOPPING, signals_heard

from linear_grokking.runtime import checkpoints
from linear_grokking.runtime.checkpoints import (
    BlockCheckpoint,
    Interrupted,
    NoCheckpoint,
    interruptible,
)

STATE = {
    "weights": np.random.default_rng(0).normal(size=(3, 4)),
    "fortran": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "step": np.int64(7),
    "time": 0.1,
    "running": np.array([True, False]),
    "empty": np.empty((0, 5)),
    "name": np.array(["lp", "direction"]),
    "special": np.array([np.inf, -0.0, 5e-324]),
    "file": np.uint8(3),
}


def assert_same_arrays(actual, expected):
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        value = np.asarray(value)
        assert actual[name].dtype == value.dtype
        assert actual[name].shape == value.shape
        assert actual[name].tobytes() == value.tobytes()


@pytest.fixture(autouse=True)
def heard():
    with signals_heard():
        yield


class Clock:
    """A monotonic clock that moves only when told to."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(checkpoints.time, "monotonic", lambda: self.now)


def solver_of(folder, identity="spec", interval_s=30.0):
    """Return the checkpoint of a solver, which has the file ``solver.npz`` in a folder."""
    return BlockCheckpoint(folder, identity, interval_s).solver([0])


def test_no_checkpoint_keeps_nothing():
    NoCheckpoint().offer(lambda: pytest.fail("state was asked for"))
    assert NoCheckpoint().restore() is None


def test_state_comes_back_bit_for_bit(tmp_path):
    folder = tmp_path / "new folder"
    checkpoint = solver_of(folder, interval_s=0)
    assert checkpoint.restore() is None
    checkpoint.offer(lambda: STATE)
    restored = solver_of(folder).restore()
    assert_same_arrays(restored, STATE)
    assert restored["fortran"].flags.f_contiguous
    assert os.listdir(folder) == ["solver.npz"]


def test_the_last_offer_is_what_comes_back(tmp_path, monkeypatch):
    clock = Clock(monkeypatch)
    checkpoint = solver_of(tmp_path, interval_s=1)
    for step in range(3):
        clock.now += 1
        checkpoint.offer(lambda step=step: {"step": step})
    assert solver_of(tmp_path).restore()["step"] == 2


def test_another_identity_is_ignored_and_replaced(tmp_path, caplog):
    solver_of(tmp_path, "old", interval_s=0).offer(lambda: {"x": 1})
    new = solver_of(tmp_path, "new", interval_s=0)
    assert new.restore() is None
    assert "another spec or code" in caplog.text
    new.offer(lambda: {"x": 2})
    assert solver_of(tmp_path, "new").restore()["x"] == 2


def test_damage_is_noticed_wherever_it_is(tmp_path, caplog):
    caplog.set_level(logging.ERROR)
    path = tmp_path / "solver.npz"
    solver_of(tmp_path, interval_s=0).offer(lambda: {"x": np.arange(4.0)})
    whole = path.read_bytes()
    expected = {"x": np.arange(4.0)}
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        restored = solver_of(tmp_path).restore()
        if restored is not None:  # dates and the like
            assert_same_arrays(restored, expected)
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert solver_of(tmp_path).restore() is None


def test_damage_is_logged(tmp_path, caplog):
    path = tmp_path / "solver.npz"
    path.write_bytes(b"garbage")
    assert solver_of(tmp_path).restore() is None
    assert "solver.npz: it is damaged" in caplog.text


@pytest.mark.parametrize(
    "failure", [OSError(errno.ESTALE, "Stale file handle"), PermissionError(13, "x"), MemoryError()]
)
def test_a_system_that_fails_is_no_damage(tmp_path, monkeypatch, failure):
    block = BlockCheckpoint(tmp_path, "spec", 0)
    block.add(0, {"x": np.arange(3)})
    block.solver([1]).offer(lambda: {"x": 1})
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(*_, **__):
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.Path, "read_bytes", fail)
        with pytest.raises(type(failure)):
            BlockCheckpoint(tmp_path, "spec", 0)
    found = BlockCheckpoint(tmp_path, "spec", 0)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.Path, "read_bytes", fail)
        with pytest.raises(type(failure)):
            found.finished()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert list(found.finished()) == [0]


def test_nothing_is_ever_unpickled(tmp_path):
    path = tmp_path / "solver.npz"
    pickled = np.array([{}], dtype=object)
    np.savez(path, header=np.array(["spec", "array:x"]), **{"array:x": pickled})
    assert solver_of(tmp_path).restore() is None
    with pytest.raises(ValueError, match="x must be an array of numbers or strings; got None"):
        solver_of(tmp_path, interval_s=0).offer(lambda: {"x": None})


def test_a_failed_write_is_logged_and_leaves_the_old_file(tmp_path, caplog, monkeypatch):
    checkpoint = solver_of(tmp_path, interval_s=0)
    checkpoint.offer(lambda: {"x": 1})

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.os, "fsync", full_disk)
    checkpoint = solver_of(tmp_path, interval_s=0)
    checkpoint.offer(lambda: {"x": 2})
    assert "No space left on device" in caplog.text
    with pytest.raises(Interrupted, match="its progress since the last save"), interruptible():
        os.kill(os.getpid(), signal.SIGTERM)
        checkpoint.offer(lambda: {"x": 3})
    assert solver_of(tmp_path).restore()["x"] == 1
    assert os.listdir(tmp_path) == ["solver.npz"]


@pytest.mark.parametrize(("write_s", "interval_s"), [(0.001, 10), (3.0, 10), (40.0, 10)])
def test_writing_costs_less_than_2_percent(tmp_path, monkeypatch, write_s, interval_s):
    clock = Clock(monkeypatch)
    written = 0.0

    def slow_write(*args):
        nonlocal written
        written += write_s
        clock.now += write_s

    monkeypatch.setattr(checkpoints, "_write", slow_write)
    checkpoint = solver_of(tmp_path, interval_s=interval_s)
    checkpoint.offer(lambda: STATE)
    assert written == 0
    while clock.now < 2e4:
        clock.now += 1.0
        checkpoint.offer(lambda: STATE)
    # The first write comes before its cost is known.
    assert 0 < written - write_s < 0.02 * clock.now
    assert written / write_s > 0.9 * clock.now / max(interval_s + 1 + write_s, 51 * write_s + 1)


def test_an_offer_that_is_not_due_is_cheap(tmp_path):
    checkpoint = solver_of(tmp_path)
    start = time.perf_counter()
    for _ in range(10_000):
        checkpoint.offer(dict)
    assert time.perf_counter() - start < 0.2  # 20 µs each; about 0.5 µs in practice


@pytest.mark.parametrize("asked", STOPPING)
def test_a_signal_saves_at_once_and_interrupts(tmp_path, asked):
    before = signal.getsignal(asked)
    checkpoint = solver_of(tmp_path, interval_s=1e9)
    with pytest.raises(Interrupted, match=r"progress is in .*solver\.npz"), interruptible():
        checkpoint.offer(lambda: pytest.fail("not due"))
        os.kill(os.getpid(), asked)
        for other in STOPPING:  # those that follow change nothing
            os.kill(os.getpid(), other)
        checkpoint.offer(lambda: {"x": 5})
    assert solver_of(tmp_path).restore()["x"] == 5
    assert signal.getsignal(asked) == before
    checkpoint.offer(lambda: pytest.fail("the request is over"))


@pytest.mark.parametrize("ignored", STOPPING)
def test_a_signal_that_is_ignored_stays_ignored(tmp_path, ignored):
    before = signal.signal(ignored, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), ignored)
            solver_of(tmp_path).offer(lambda: pytest.fail("nobody asked"))
        assert signal.getsignal(ignored) == signal.SIG_IGN
    finally:
        signal.signal(ignored, before)


def test_interruptible_belongs_to_the_main_thread():
    errors = []

    def enter():
        try:
            with interruptible():
                pass
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert len(errors) == 1


def columns_of(realization):
    rng = np.random.default_rng(realization)
    return {
        "gen_loss": rng.normal(size=5),
        "bias": rng.normal(size=5).astype(np.float32),
        "separable": np.bool_(realization % 2),
        "certificate": np.array(["hull", "direction"][realization % 2]),
    }


def test_finished_realizations_come_back_bit_for_bit(tmp_path, monkeypatch):
    clock = Clock(monkeypatch)
    block = BlockCheckpoint(tmp_path / "block", "spec", interval_s=0)
    assert block.finished() == {}
    block.add(10, columns_of(10))
    clock.now += 1
    block.solver(range(4))
    for realization in range(4):
        block.add(realization, columns_of(realization))
    restored = BlockCheckpoint(tmp_path / "block", "spec").finished()
    assert list(restored) == [0, 1, 2, 3, 10]
    for realization, columns in restored.items():
        assert_same_arrays(columns, columns_of(realization))
    block.remove()
    assert os.listdir(tmp_path) == []


def test_quick_realizations_share_a_part(tmp_path, monkeypatch):
    clock = Clock(monkeypatch)
    block = BlockCheckpoint(tmp_path, "spec", interval_s=10)
    for realization in range(100):
        clock.now += 0.5
        block.add(realization, columns_of(realization))
    assert len(os.listdir(tmp_path)) == 5
    assert list(BlockCheckpoint(tmp_path, "spec").finished()) == list(range(100))


def test_results_are_copied_when_added(tmp_path, monkeypatch):
    clock = Clock(monkeypatch)
    block = BlockCheckpoint(tmp_path, "spec", interval_s=10)
    buffer = np.zeros(3)
    for realization in range(2):
        buffer[:] = realization
        block.add(realization, {"x": buffer})
        clock.now += 20
    block.add(2, {"x": buffer})
    finished = block.finished()
    assert [finished[r]["x"][0] for r in range(3)] == [0, 1, 1]


def test_the_solver_state_belongs_to_its_realizations(tmp_path):
    block = BlockCheckpoint(tmp_path, "spec", interval_s=0)
    block.solver([3, 4]).offer(lambda: STATE)
    again = BlockCheckpoint(tmp_path, "spec")
    assert again.solver([3]).restore() is None
    assert again.solver([4, 3]).restore() is None
    assert_same_arrays(again.solver([3, 4]).restore(), STATE)
    assert BlockCheckpoint(tmp_path, "other code").solver([3, 4]).restore() is None


def test_a_solver_state_never_hides_finished_realizations(tmp_path, monkeypatch):
    clock = Clock(monkeypatch)
    block = BlockCheckpoint(tmp_path, "spec", interval_s=10)
    block.add(0, columns_of(0))
    assert os.listdir(tmp_path) == []
    clock.now = 11
    block.solver([1]).offer(lambda: STATE)
    again = BlockCheckpoint(tmp_path, "spec")
    assert list(again.finished()) == [0]
    assert_same_arrays(again.solver([1]).restore(), STATE)


def test_parts_of_another_identity_or_damaged_are_ignored(tmp_path, caplog, monkeypatch):
    Clock(monkeypatch)
    BlockCheckpoint(tmp_path, "old", interval_s=0).add(0, columns_of(0))
    block = BlockCheckpoint(tmp_path, "new", interval_s=0)
    block.add(1, columns_of(1))
    block.add(2, columns_of(2))
    (tmp_path / "finished-00000002.npz").write_bytes(b"half")
    (tmp_path / ".finished-00000003.npz.killed.npz").write_bytes(b"half")
    assert list(block.finished()) == [1]
    assert "another spec or code" in caplog.text and "damaged" in caplog.text


def test_sigterm_saves_what_is_finished(tmp_path):
    block = BlockCheckpoint(tmp_path, "spec", interval_s=1e9)
    with pytest.raises(Interrupted), interruptible():
        block.add(0, columns_of(0))
        os.kill(os.getpid(), signal.SIGTERM)
        block.solver([1, 2])
        block.add(1, columns_of(1))
        block.add(2, columns_of(2))
    assert list(BlockCheckpoint(tmp_path, "spec").finished()) == [0, 1, 2]


def test_a_signal_at_any_moment_saves_before_it_stops(tmp_path, monkeypatch):
    looks = itertools.chain([False], itertools.repeat(True))  # it comes after the first look
    asked = SimpleNamespace(is_set=lambda: next(looks))
    monkeypatch.setattr(checkpoints, "_stop_requested", asked)
    solver = BlockCheckpoint(tmp_path, "spec", interval_s=1e9).solver([0])
    with pytest.raises(Interrupted):
        for step in range(3):
            solver.offer(lambda step=step: {"step": step})
    assert BlockCheckpoint(tmp_path, "spec").solver([0]).restore() == {"step": 1}


def test_results_that_are_no_plain_arrays_are_refused(tmp_path):
    with pytest.raises(ValueError, match="margin must be an array"):
        BlockCheckpoint(tmp_path, "spec").add(0, {"margin": None})


JOB = textwrap.dedent("""
    import sys
    import numpy as np
    from linear_grokking.runtime.checkpoints import BlockCheckpoint, Interrupted, interruptible

    def solve(realization, checkpoint):
        # A chaotic map: a single lost bit shows.
        state = checkpoint.restore() or {"x": np.linspace(0.1, 0.2, 50) + realization, "step": 0}
        x, step = state["x"], int(state["step"])
        while step < 4000:
            x, step = np.sin(3 * x) ** 2 + 1e-3 * step % 0.1, step + 1
            checkpoint.offer(lambda: {"x": x, "step": step})
        return {"x": x}

    folder, result = sys.argv[1:]
    block = BlockCheckpoint(folder, "spec", interval_s=0.005)
    try:
        with interruptible():
            finished = block.finished()
            print(len(finished), "finished before", flush=True)
            for realization in range(12):
                if realization not in finished:
                    finished[realization] = solve(realization, block.solver([realization]))
                    block.add(realization, finished[realization])
    except Interrupted as reason:
        print(reason, file=sys.stderr)
        sys.exit(143)
    np.save(result, np.stack([finished[realization]["x"] for realization in range(12)]))
    block.remove()
""")


def run_job(folder, *, kill=None, after_s=0.0):
    job = subprocess.Popen(
        [sys.executable, "-c", JOB, str(folder / "side"), str(folder / "result.npy")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    job.stdout.readline()  # started: kills fall on the work, not on imports
    if kill is not None:
        time.sleep(after_s)
        job.send_signal(kill)
    _, errors = job.communicate(timeout=60)
    return job.returncode, errors


def kill_at_random(folder, kills):
    rng = random.Random(kills)
    (folder / "undisturbed").mkdir(parents=True)
    (folder / "killed").mkdir()
    start = time.monotonic()
    assert run_job(folder / "undisturbed")[0] == 0
    duration = time.monotonic() - start
    codes = []
    for kill in range(kills):
        code, _ = run_job(
            folder / "killed",
            kill=(signal.SIGKILL, signal.SIGTERM)[kill % 2],
            after_s=rng.uniform(0, 0.5 * duration),
        )
        codes.append(code)
    code, errors = run_job(folder / "killed")
    assert (code, errors) == (0, "")
    expected = (folder / "undisturbed" / "result.npy").read_bytes()
    assert (folder / "killed" / "result.npy").read_bytes() == expected
    assert os.listdir(folder / "killed") == ["result.npy"]
    return codes


def test_killed_at_random_moments_gives_the_same_bits(tmp_path):
    codes = kill_at_random(tmp_path, kills=4)
    assert set(codes) <= {0, 143, -signal.SIGKILL, -signal.SIGTERM}
    assert any(codes)


@pytest.mark.long
def test_killed_many_times_gives_the_same_bits(tmp_path):
    for attempt in range(10):
        kill_at_random(tmp_path / str(attempt), kills=3 + attempt % 3)


@pytest.mark.parametrize("asked", STOPPING)
def test_a_job_told_to_stop_leaves_quickly_with_a_message(tmp_path, asked):
    code, errors = run_job(tmp_path, kill=asked)
    assert code == 143
    (said,) = errors.splitlines()
    assert said.startswith("asked to stop; progress is in")
    assert os.listdir(tmp_path / "side")
    assert run_job(tmp_path)[0] == 0
