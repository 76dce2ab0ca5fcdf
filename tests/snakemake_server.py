"""Snakemake without its start: a process that has loaded its libraries, and forks to run it.

Imports are most of a dry run in a small copy of the repository.  Only what is of others is
loaded beforehand: each copy runs its own package.

As a program this is the server.  For each line of standard input, ``{"arguments": …,
"folder": …, "environment": …, "output": …, "timeout_s": …}``, it runs ``python -m snakemake``
there, all that is said going to the file ``output``, and answers with the exit status.
"""

import functools
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

LOADED = (
    *("snakemake.cli", "matplotlib.figure", "matplotlib.legend", "numba", "pandas"),
    *("pyarrow.parquet", "pydantic", "scipy.optimize", "scipy.special", "scipy.stats"),
)


@functools.cache
def _server() -> subprocess.Popen[str]:
    command = [sys.executable, __file__]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def run(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], timeout_s: float = 300
) -> tuple[int, str]:
    """Run Snakemake to its end; return its exit status, negative after a signal, and its words."""
    server = _server()
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
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            become_snakemake(**request)
            return
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def become_snakemake(arguments, folder, environment, output, timeout_s):
    """Do in this process as ``python -m snakemake`` would in one of its own."""
    os.setsid()
    signal.alarm(int(timeout_s))
    for name, mode, numbers in ((os.devnull, "rb", (0,)), (output, "wb", (1, 2))):
        with open(name, mode) as file:
            for number in numbers:
                os.dup2(file.fileno(), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    given = environment.get("PYTHONPATH", "")
    sys.path[:1] = [folder, *filter(None, given.split(os.pathsep))]
    sys.argv = ["snakemake", *arguments]
    runpy.run_module("snakemake", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
