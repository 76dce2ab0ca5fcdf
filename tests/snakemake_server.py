"""Run Snakemake and its jobs without their start-up, in forks of a process with loaded libraries.

Imports take most of the time of a dry run in a small copy of the repository, and of a job there.
Only third-party libraries are loaded beforehand: each copy runs its own package.

Run as a program, this is the server.  It answers first with a folder of programs, for shells that
run what a page shows.  For each line of standard input, ``{"arguments": …, "folder": …,
"environment": …, "output": …, "timeout_s": …}``, it runs ``python -m snakemake`` in that folder,
writes all output to the file ``output``, and answers with the exit status.  Snakemake is given a
substitute for Python, which has the server run a job's script; the programs call it, too.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LOADED = (
    *("snakemake.cli", "snakemake.profiles", "snakemake.report.html_reporter", "snakemake.storage"),
    *("docutils.core", "jinja2", "smart_open", "yte"),
    *("matplotlib.figure", "matplotlib.legend", "numba", "pandas", "pyarrow.pandas_compat"),
    *("matplotlib.backends.backend_agg", "matplotlib.backends.backend_pdf"),
    *("matplotlib.backends.backend_svg", "matplotlib.style", "pyarrow.parquet", "pydantic"),
    *("scipy.optimize.elementwise", "scipy.special", "scipy.stats"),
    *("multiprocessing.synchronize", "piqp", "statistics", "threadpoolctl", "tqdm"),
)
"""Modules that Snakemake and jobs import from other packages, in most of their runs."""

PYTHON = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    said = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [said[:1]], [0, 1, 2])
    server.sendall(said[1:])
    server.shutdown(socket.SHUT_WR)
    status = int(server.recv(9))
if status < 0:
    os.kill(os.getpid(), -status)
sys.exit(status)
"""
"""The substitute for Python, called with ``SCRIPT ARGUMENT...`` or ``-m MODULE ARGUMENT...``."""

JOB = "job of a rule"
"""Name that Linux knows the process of a job's script by, of at most 15 letters."""

PROGRAMS = {"snakemake": "snakemake", "linear-grokking": "linear_grokking", "pytest": "pytest"}
"""Modules that the programs run."""


@functools.cache
def _server() -> tuple[subprocess.Popen[str], Path]:
    command = [sys.executable, __file__]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    return server, Path(server.stdout.readline().rstrip("\n"))


def programs() -> Path:
    """Return a folder with `PROGRAMS`, which run without their start-up; to be put in PATH."""
    return _server()[1]


def run(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], timeout_s: float = 300
) -> tuple[int, str]:
    """Run Snakemake to its end; return its exit status, negative after a signal, and its output."""
    server, _ = _server()
    assert server.stdin is not None and server.stdout is not None
    with tempfile.NamedTemporaryFile() as output:
        request = {"arguments": arguments, "folder": str(folder), "environment": environment}
        request |= {"output": output.name, "timeout_s": timeout_s}
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        return int(server.stdout.readline()), output.read().decode()


def main() -> None:
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()
    # Removed at the end of this function: forked processes must not do it on exit.
    folder = Path(tempfile.mkdtemp())
    python, address = folder / "python", str(folder / "jobs")
    python.write_text(PYTHON.format(python=sys.executable, address=address))
    python.chmod(0o700)
    for name, module in PROGRAMS.items():
        program = folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec {python} -m {module} "$@"\n')
        program.chmod(0o700)
    jobs = socket.socket(socket.AF_UNIX)
    jobs.bind(address)
    jobs.listen()
    # Processes that have served a request leave no zombies.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print(folder / "bin", flush=True)
    while True:
        ready, _, _ = select.select([sys.stdin, jobs], [], [])
        if jobs in ready:
            connection, _ = jobs.accept()
            in_a_fork(serve_job, connection, str(python))
            connection.close()
        elif line := sys.stdin.readline():
            in_a_fork(serve_snakemake, str(python), **json.loads(line))
        else:
            break
    shutil.rmtree(folder)


def in_a_fork(function: Callable[..., object], *given: object, **named: object) -> None:
    """Call a function in a process of its own, for which nobody waits."""
    if os.fork() == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        function(*given, **named)
        os._exit(0)


def status_of(program: Callable[[], object]) -> int:
    """Run a program in a process of its own; return its exit status."""
    child = os.fork()
    if child == 0:
        # End as an interpreter does, but without dismantling it, which takes long.
        code = 0
        try:
            program()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
            if not isinstance(end.code, int | None):
                print(end.code, file=sys.stderr)
        except BaseException:
            traceback.print_exc()
            code = 1
        threading._shutdown()
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def serve_snakemake(python, arguments, folder, environment, output, timeout_s):
    """Run ``python -m snakemake`` in a folder; print its exit status."""

    def snakemake():
        os.setsid()
        signal.alarm(int(timeout_s))
        streams = [os.open(os.devnull, os.O_RDONLY), *[os.open(output, os.O_WRONLY)] * 2]
        become_python(["-m", "snakemake", *arguments], folder, environment, streams, python)

    print(status_of(snakemake), flush=True)


def serve_job(connection: socket.socket, python: str) -> None:
    """Run what `PYTHON` was asked to run; answer with the exit status."""
    said, streams, _, _ = socket.recv_fds(connection, 1, 3)
    while more := connection.recv(1 << 16):
        said += more
    status = status_of(lambda: become_python(*json.loads(said), streams, python))
    connection.sendall(str(status).encode())


def become_python(arguments, folder, environment, streams, python):
    """Do in this process what ``python ARGUMENT...`` would do in its own."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    # The present objects remember whether the server's own files are seekable.
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.executable = python
    paths = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    if arguments[0] == "-m":
        sys.path[:1] = [folder, *paths]
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        with suppress(OSError):  # where there is no /proc
            Path("/proc/self/comm").write_text(JOB)
        sys.path[:1] = [str(Path(arguments[0]).parent), *paths]
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main()
