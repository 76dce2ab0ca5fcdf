"""How far a build is: the line on a terminal, none in a log, and what `watch` says afterwards."""

import os
import pty
import subprocess

import snakemake_server


def test_a_terminal_gets_a_line_and_a_log_none(fresh):
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [snakemake_server.programs() / "snakemake", "--cores", "2", "B6"],
        cwd=fresh.root,
        env=fresh.environment(),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 65536):
                said += part
        except OSError:  # the other end has closed
            pass
    os.close(ours)
    assert process.returncode == 0, said.decode()
    lines = said.decode().splitlines()
    counted = [k for k, line in enumerate(lines) if " steps (" in line]
    followed = [lines[k + 1] for k in counted]
    assert len(counted) > 4 and all(" of the work done" in line for line in followed), said.decode()
    assert followed[-1] == "100% of the work done" and followed[0].endswith(" left")
    (log,) = fresh.files(".snakemake/log/*.log")
    assert "of the work" not in log.read_text(encoding="utf-8")


def test_what_is_built_is_all_done(repository):
    # Snakemake wrote into no terminal there.
    done = repository.cli("watch")
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "all is done", done
    assert "of the work" not in done.stdout
    nothing = repository.snakemake()
    assert "of the work" not in nothing.output and "Nothing to be done" in nothing.output
    assert repository.cli("watch").stdout == done.stdout


def test_a_job_that_fails_is_named_with_its_reason(repository):
    repository.configure("experiments.lin.eta", 5.0)
    failed = repository.snakemake("--keep-going", "A1")
    assert failed.returncode == 1
    said = repository.cli("watch").stdout
    assert "Snakemake is not running here" in said
    assert "lin lambda=0.5" in said and "error: " in said and "logs/train_block/" in said
