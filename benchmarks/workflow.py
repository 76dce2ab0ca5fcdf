"""Rows of the workflow: processes side by side, start-up, planning, the cost model."""

import functools
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from benchmarks.rows import Row, Spread, alternate
from linear_grokking.config import load_merged
from linear_grokking.config.experiments.base import MAX_GRID
from linear_grokking.jobs import resources
from linear_grokking.jobs.kinds import kind_of, run_id
from linear_grokking.results.identity import blocks_in
from linear_grokking.workflow.plan import read

HERE = Path(__file__).parents[1]
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}
EARLIER = "c6f4f9f"
"""The last revision of the first edition, which a build is compared with."""
E3_WIDTHS = (20, 80, 120, 160, 180, 192, 200, 220, 260, 320)
FIRST_GRADIENT = """
import sys
from linear_grokking.models.passes.stretches import Stretches
descend = Stretches.descend
def leave(self, state, *, eta, steps):
    descend(self, state, eta=eta, steps=1)
    sys.exit(0)
Stretches.descend = leave
from linear_grokking.workflow.steps import script
script.run("linear_grokking.workflow.steps.block:train_block", device=str, threads=int)
"""


def rows() -> Iterator[Row]:
    """Yield the rows of this group."""
    yield _two_processes()
    yield _start()
    yield from _dry_runs()
    yield _largest_grid()
    yield from _cost_model()


def figures() -> Iterator[Row]:
    """Yield the rows of all figures made from nothing, which takes as long as they do."""
    with _workplace() as folder, tempfile.TemporaryDirectory() as earlier:
        _unpack(EARLIER, Path(earlier))
        shared = list(load_merged([Path(earlier, "config/config.yaml")])["figures"])
        ours = _build(folder, shared)
        realizations = _realizations(folder)
        everything = ours + _build(folder, ["all"])
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        theirs = _build(Path(earlier), shared)
        more = realizations / _realizations(Path(earlier))
    cores = f"{os.cpu_count()} cores"
    yield Row(
        f"{len(shared)} figures, config.yaml, cold, {cores}",
        f"the same figures at revision {EARLIER}",
        Spread.of([theirs / ours]),
        target=1 / 0.45,
        ours=Spread.of([ours]),
        theirs=Spread.of([theirs]),
        note=f"with {more:.1f} times as many realizations",
    )
    work = "all figures, config.yaml, cold"
    minutes = Spread.of([everything / 60])
    yield Row(work, cores, minutes, "min", target=12, at_least=False)
    yield Row(work, "peak memory of any job", Spread.of([memory]), "GiB", target=3, at_least=False)


def _build(folder: Path, figures: Sequence[str]) -> float:
    """Make figures with the workflow and the code in a folder; return the seconds it took."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "all", "--quiet", "all", "--", *figures],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src")},
        check=True,
    )
    return time.perf_counter() - started


def _realizations(folder: Path) -> int:
    """Return how many realizations the blocks of all runs in a folder hold."""
    runs = filter(Path.is_dir, folder.glob("results/*/*"))
    return sum(1 + block.last - block.first for run in runs for block in blocks_in(run))


def _unpack(revision: str, folder: Path) -> None:
    """Put the files of a revision of this repository into a folder."""
    archive = folder / "revision.tar"
    subprocess.run(["git", "archive", "--output", archive, revision], cwd=HERE, check=True)
    shutil.unpack_archive(archive, folder)


class _workplace:
    """Give a folder with the repository's workflow and no results."""

    def __enter__(self) -> Path:
        self._folder = Path(tempfile.mkdtemp())
        for name in ("Snakefile", "workflow", "config", "profiles", "src"):
            (self._folder / name).symlink_to(HERE / name)
        return self._folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder)


def _block(program: str, folder: str, spec: Mapping[str, Any], realizations: int) -> str:
    """Run a program as the script of a block; return what it printed."""
    last = realizations - 1
    output = Path(folder, run_id(spec), f"0-{last}.parquet")
    options = ["--log", f"{folder}/log.txt", "--device", "cpu", "--threads", "1"]
    return subprocess.run(
        [sys.executable, "-c", program, *options, str(output)],
        input=json.dumps({"spec": spec, "block": f"0-{last}"}),
        env=ONE_THREAD,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def _spec(**changes: Any) -> dict[str, Any]:
    """Return the spec of a run as the configuration would make it."""
    experiment = {"realizations": 1, **changes}
    config = read({"seed": 0, "experiments": {"benchmark": experiment}, "figures": {}})
    (point,) = config.experiments["benchmark"].grid(config.seed)
    return point.spec


def _e3(d: int) -> dict[str, Any]:
    return _spec(model="logistic", n_train=400, d=d, t_max=1e10)


def _solve(spec: Mapping[str, Any], first: int, last: int) -> None:
    """Compute some realizations of a run in this process, on one thread as its jobs do."""
    from linear_grokking.runtime.context import JobContext

    with threadpool_limits(1):
        for _ in kind_of(spec).compute(spec, range(first, last + 1), JobContext()):
            pass


def _two_processes() -> Row:
    specs = [_e3(d) for d in E3_WIDTHS]
    each = 100 // len(specs)

    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:

        def run(processes: int) -> None:
            waiting = list(specs)
            running: list[Any] = []
            while waiting or running:
                while waiting and len(running) < processes:
                    running.append(pool.submit(_solve, waiting.pop(), 0, each - 1))
                running.pop(0).result()

        timings = alternate(3, one=lambda: run(1), two=lambda: run(2))
    return Row(
        "E3 (N=400), 100 realizations over 10 widths, two processes",
        "one process",
        timings.ratio("one", "two"),
        target=1.8,
        ours=timings.spread("two"),
        theirs=timings.spread("one"),
    )


def _start() -> Row:
    spec = _e3(192)
    with tempfile.TemporaryDirectory() as folder:
        timings = alternate(7, start=lambda: _block(FIRST_GRADIENT, folder, spec, 1))
    return Row(
        "one job: start of Python to first gradient",
        "",
        timings.spread("start"),
        "s",
        target=2.5,
        at_least=False,
        note="plotting and CPU jobs import no torch (tests/unit/test_imports.py)",
    )


def _dry_run(folder: Path, options: Sequence[str], files: Sequence[str]) -> None:
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "all", *options]
    subprocess.run(
        [*command, "--configfile", *files],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )


def _dry_runs() -> Iterator[Row]:
    """Yield the rows of dry runs: what Snakemake itself takes to say what it would do."""
    config, paper = "config/config.yaml", "config/paper.yaml"
    with _workplace() as folder:
        (folder / "grid.json").write_text(json.dumps(_grid()))
        here, cluster = ("--cores", "2"), ("--profile", "profiles/slurm")
        for what, options, files, target in (
            ("config.yaml, all figures", here, [config], 2.5),
            ("paper.yaml, all figures", here, [config, paper], 5),
            (f"{MAX_GRID} runs", here, ["grid.json"], 20),
            (f"{MAX_GRID} runs, for a cluster", cluster, ["grid.json"], 40),
        ):
            timings = alternate(2, dry_run=functools.partial(_dry_run, folder, options, files))
            seconds = timings.spread("dry_run")
            yield Row(f"dry run of {what}", "", seconds, "s", target=target, at_least=False)
        shutil.rmtree(folder / ".snakemake", ignore_errors=True)


LARGEST_KB = r"""
import re
def largest_kb():
    # Of this program alone: ru_maxrss counts its parent's memory too, from before its start.
    return int(re.search(r"VmHWM:\s*(\d+) kB", open("/proc/self/status").read())[1])
"""
"""How a program finds the peak of its memory."""

PLAN_OF_A_GRID = (
    LARGEST_KB
    + """
import json, sys, time
from pathlib import Path
from linear_grokking.workflow.plan import Plan, read, targets
config = read(json.load(sys.stdin))
started = time.perf_counter()
plan = Plan(config, Path(sys.argv[1]))
made = [targets.summary(plan, run_id).made_of for run_id in plan.runs]
made += [targets.table(plan, "B6").made_of, targets.manifest(plan).made_of]
assert len(set(made)) == len(plan.runs) + 2
seconds = time.perf_counter() - started
print(seconds, largest_kb() / 1024)
"""
)


def _grid() -> dict[str, Any]:
    """Return the configuration of a figure from as many runs as are allowed."""
    axes = {"d": list(range(1, 101)), "sigma": [1 + k / 100 for k in range(MAX_GRID // 100)]}
    sets = {"measure": "separability", "n_train": 2, "realizations": 1, **axes}
    curve = {"start": 0.3, "stop": 0.45, "points": 2}
    options = {"statistics": "sets", "margins": "sets", "lambda": curve}
    return {"seed": 1, "experiments": {"sets": sets}, "figures": {"B6": options}}


def _largest_grid() -> Row:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", PLAN_OF_A_GRID, folder]
        done = [
            subprocess.run(
                command, input=json.dumps(_grid()), capture_output=True, text=True, check=True
            ).stdout.split()
            for _ in range(3)
        ]
    return Row(
        f"plan of {MAX_GRID} runs: blocks, requests, digests",
        "",
        Spread.of([float(seconds) for seconds, _ in done]),
        "s",
        target=10,
        at_least=False,
        note=f"{max(float(memory) for _, memory in done):.0f} MB",
    )


_SETS = {"model": "logistic", "measure": "separability"}
_LARGE = {"model": "logistic", "n_train": 4000, "d": 1920, "t_max": 1e6}
_OUTPUTS = {**_LARGE, "measure": "outputs", "records": 2}
_DESCENT = {"model": "logistic", "solver": "gradient_descent", "n_train": 400, "d": 192}
_ADAM = {"model": "logistic", "solver": "adam", "n_train": 1000, "d": 480, "t_max": 3000}
_DEFERRED = {"model": "logistic", "data": "deferred", "n_train": 10000, "d": 4800, "sigma": 5}
_LINEAR = {"model": "linear", "lambda": 0.9, "records": 120}
_STEPS = {"solver": "gradient_descent", "t_max": 600, "records": 50}
_TWO_LAYERS = {"model": "two_layer", "lambda": 0.9, "d_out": 5, "epsilon": 1e-4, "t_max": 2e5}
_TANH = {**_TWO_LAYERS, "d_h": 50, "activation": "tanh"}
_DECIDED = {"labels": "threshold", "label_fraction": 0.9}

COSTED = {
    "E1, N=2400, d=1152": {**_SETS, "n_train": 2400, "d": 1152},
    "E1, N=400, d=192": {**_SETS, "n_train": 400, "d": 192},
    "E2, N=2400, d=1320, margin": {**_SETS, "n_train": 2400, "d": 1320, "margin": True},
    "E2, N=400, d=230, margin": {**_SETS, "n_train": 400, "d": 230, "margin": True},
    "E3, N=400, d=192": {"model": "logistic", "n_train": 400, "d": 192, "t_max": 1e10},
    "logistic N=4000, d=1920": _LARGE,
    "logistic, outputs": _OUTPUTS,
    "logistic, literal steps": {**_DESCENT, "t_max": 2e4},
    "logistic, literal steps, outputs": {**_DESCENT, "measure": "outputs", "t_max": 2e4},
    "logistic, Adam": _ADAM,
    "logistic, Adam, outputs": {**_ADAM, "measure": "outputs"},
    "logistic N=10000, d=4800, deferred": _DEFERRED,
    "logistic, deferred, outputs": {**_DEFERRED, "measure": "outputs"},
    "logistic, deferred, literal steps": {**_DEFERRED, "solver": "gradient_descent", "t_max": 500},
    "logistic, deferred, literal steps, outputs": {
        **_DEFERRED,
        "solver": "gradient_descent",
        "measure": "outputs",
        "t_max": 500,
    },
    "logistic N=4000, d=1920, threshold labels": {**_LARGE, **_DECIDED},
    "logistic, literal steps, threshold labels": {**_DESCENT, **_DECIDED, "t_max": 2e4},
    "logistic, Adam, threshold labels": {**_ADAM, **_DECIDED},
    "linear d_out=1, N=1111": _LINEAR,
    "linear d_out=100, N=1111": {**_LINEAR, "d_out": 100},
    "linear, momentum": {**_LINEAR, "solver": "momentum", "momentum": 0.9},
    "linear, Grokfast": {**_LINEAR, "solver": "grokfast"},
    "linear, conjugate gradients": {**_LINEAR, "solver": "conjugate_gradients", "t_max": 300},
    "linear, mini-batches": {**_LINEAR, "solver": "sgd", "batch_size": 64, "t_max": 3000},
    "linear, grokking times without data": {"measure": "grokking_times", "lambda": 0.9},
    "linear, literal steps": {**_LINEAR, **_STEPS},
    "linear d_out=50, literal steps": {**_LINEAR, **_STEPS, "d_out": 50},
    "linear, Adam": {**_LINEAR, **_STEPS, "solver": "adam"},
    "two layers, d_h=200": {**_TWO_LAYERS, "d_h": 200},
    "two layers, tanh, d_h=50": _TANH,
    "two layers, d_h=200, literal steps": {**_TWO_LAYERS, **_STEPS, "d_h": 200},
    "two layers, tanh, literal steps": {**_TANH, **_STEPS},
    "two layers, d_h=200, Adam": {**_TWO_LAYERS, **_STEPS, "solver": "adam", "d_h": 200},
    "addition modulo 23": {"model": "modular", "p": 23, "t_max": 1000},
    "two-point model": {"model": "two_point", "lambda": 0.4, "t_max": 1e9},
}
"""Experiments that the cost model is checked against, at least one of each kind of run."""

MEASURED_JOB = (
    LARGEST_KB
    + """
import json, resource
from linear_grokking.workflow.steps import script
script.run("linear_grokking.workflow.steps.block:train_block", device=str, threads=int)
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"mb": largest_kb() / 1024, "seconds": used.ru_utime + used.ru_stime}))
"""
)


def measured_cost(spec: Mapping[str, Any], realizations: int) -> tuple[float, float]:
    """Return the CPU seconds and the peak memory (MB) of a job of so many realizations."""
    with tempfile.TemporaryDirectory() as folder:
        done = _block(MEASURED_JOB, folder, spec, realizations)
    used = json.loads(done.splitlines()[-1])
    return used["seconds"], used["mb"]


def _cost_model() -> Iterator[Row]:
    for name, experiment in COSTED.items():
        spec = _spec(**experiment)
        cost = kind_of(spec).cost(spec)
        # Enough realizations that the start of the job is negligible; a model without
        # randomness has one.
        count = max(2, min(100, round(2.0 / cost.seconds))) if "seed" in spec else 1
        seconds, memory = measured_cost(spec, count)
        model = (
            resources.job_seconds(cost, count, gpu=False),
            resources.job_memory_mb(cost, gpu=False),
        )
        room = model[1] - resources.SNAKEMAKE_MB
        # Every job is given the room of one that loads Numba.
        ratios = [seconds / model[0], max(memory, resources.PROCESS_MB) / room]
        yield Row(
            f"cost model: {name}",
            "CPU time and memory expected (the worse of both)",
            Spread.of([max(max(ratio, 1 / ratio) for ratio in ratios)]),
            "x",
            target=2,
            at_least=False,
            note=f"{count} realizations: {seconds:.1f} of {model[0]:.1f} s, "
            f"{memory:.0f} of {room} MB",
        )
