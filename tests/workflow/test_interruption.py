"""Jobs that are killed, and a second Snakemake in one folder."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import snakemake_server
from snakemake_server import JOB

from linear_grokking.results.storage import digest_of
from linear_grokking.workflow.watch.last_word import KILLED
from linear_grokking.workflow.watch.logs import last_lines

SEED = 20231016

JOBS = 7
"""Jobs of the small copy: two blocks, two summaries, a table, a figure, the claims."""


def processes_of_jobs(root: Path) -> set[int]:
    """Return the processes that compute a job in a folder: Linux lists them in /proc."""
    found, here = set(), str(root.resolve())
    for number in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{number}/cwd") != here:
                continue
            entry = Path("/proc", number)
            command = (entry / "cmdline").read_bytes().split(b"\0")
            name = (entry / "comm").read_text().rstrip("\n")
            if b"/workflow/scripts/" in b"".join(command[1:2]) or name == JOB:
                found.add(int(number))
    return found


def kill_a_job(repository, which: int, after: float) -> bool:
    """Build everything and kill the job that starts as number ``which``, a moment later.

    Snakemake and its jobs run without their start-up: kills fall on the work, not on imports.
    Returns False if the job was done by then.
    """
    process = subprocess.Popen(
        [snakemake_server.programs() / "snakemake", "--cores", "2", "--keep-going"],
        cwd=repository.root,
        env=repository.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seen: set[int] = set()
    hit = False
    while process.poll() is None:
        for pid in processes_of_jobs(repository.root) - seen:
            if len(seen) == which:
                time.sleep(after)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    hit = True
            seen.add(pid)
        time.sleep(0.01)
    return hit


def start_over(repository) -> None:
    """Remove what the workflow made, as a user may."""
    for folder in ("results", "figures"):
        shutil.rmtree(repository.root / folder)


def logs_that_say_so(repository) -> int:
    """Return how many logs end with the word of a job that was killed."""
    logs = repository.files("logs/**/*.log")
    return sum(last_lines(path)[-1:] == [KILLED] for path in logs)


def kill_repeatedly(repository, times: int) -> None:
    undisturbed = repository.data()
    rng = random.Random(SEED)
    hits = told = 0
    while hits < times:
        start_over(repository)
        hit = kill_a_job(repository, rng.randrange(JOBS), rng.uniform(0.0, 0.3))
        said = logs_that_say_so(repository)
        assert said <= hit
        told += said
        hits += hit
        # Whatever is there after a kill is whole: unfinished files have names of their own.
        for path in repository.files("results/**/[0-9a-f]*.parquet"):
            digest_of(path, whole=True)
        outcome = repository.snakemake()
        assert outcome.returncode == 0, outcome.output
        assert repository.data() == undisturbed
    # But for one that had ended when it was hit, and was not waited for yet.
    assert told > 0
    assert repository.would_do_nothing()


@pytest.fixture(scope="session")
def built_small(once, built):
    """Return the folder of a copy with two runs and one figure, so that a round takes seconds."""

    def fill(root: Path) -> None:
        shutil.copytree(built.root, root, symlinks=True, dirs_exist_ok=True)
        small = type(built)(root)
        for section in ("experiments", "figures"):
            every = small.configuration[section]
            for name in set(every) - {"sets", "B6"}:
                del every[name]
        small.write_configuration()
        listed = small.cli("clean-stale", "--remove")
        assert listed.returncode == 0, listed.stderr
        assert small.snakemake().returncode == 0

    return once("built_small", fill)


@pytest.fixture
def small(built_small, built, tmp_path):
    """Return such a copy of one's own."""
    root = tmp_path / "small"
    shutil.copytree(built_small, root, symlinks=True)
    return type(built)(root)


def test_killed_jobs_leave_no_trace(small):
    kill_repeatedly(small, 3)


@pytest.mark.long
def test_killed_jobs_leave_no_trace_fifty_times(small):
    kill_repeatedly(small, 50)


def test_snakemake_itself_killed(small):
    undisturbed = small.data()
    start_over(small)
    process = small.start("--cores", "2")
    while not processes_of_jobs(small.root):
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    refused = small.snakemake()
    assert refused.returncode != 0
    assert "snakemake --unlock, and again" in refused.output
    assert small.snakemake("--unlock").returncode == 0
    outcome = small.snakemake()
    assert outcome.returncode == 0, outcome.output
    assert small.data() == undisturbed


def test_a_second_snakemake_says_so_and_leaves(small):
    for path in small.files("figures/B6.*"):
        path.unlink()
    first = small.start("--cores", "1")
    locks = small.root / ".snakemake" / "locks"
    # One that is made but not yet written locks nothing.
    while not any(each.stat().st_size for each in locks.glob("*.output.lock")):
        assert first.poll() is None
        time.sleep(0.02)
    # It must not be done before the second begins.
    os.killpg(first.pid, signal.SIGSTOP)
    try:
        second = small.snakemake()
        removal = small.cli("clean-stale", "--remove")
    finally:
        os.killpg(first.pid, signal.SIGCONT)
    assert second.returncode != 0
    assert "Another Snakemake is running in this folder" in second.output
    assert "Traceback" not in second.output
    assert not second.jobs
    assert removal.returncode != 0
    assert "Snakemake is running here" in removal.stderr
    first.communicate()
    assert first.returncode == 0
