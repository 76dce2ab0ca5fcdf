"""Each command of the workflow imports what it uses: start-up is paid by every job."""

import functools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from linear_grokking.jobs.kinds import run_id

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / "config" / "config.yaml")

REPORT = "import sys; {}; print(' '.join(sorted(set(sys.modules))))"


@functools.cache
def imported(statements):
    """Return the modules that a fresh interpreter holds after some statements."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT.format(statements)],
        capture_output=True,
        text=True,
        check=True,
    )
    return frozenset(done.stdout.splitlines()[-1].split())


def job_of(model, solver, measure="dynamics"):
    """Return what the block of a kind of run imports."""
    spec = {"model": model, "solver": solver, "measure": measure}
    return (
        "from linear_grokking.workflow.steps.block import train_block; "
        "from linear_grokking.jobs import kinds; "
        f"kind = kinds.kind_of({spec!r}); "
        "[kinds._load(place) for place in (kind.job, kind.solve) if place]"
    )


COMMANDS = {
    "block of separability": job_of("logistic", "newton", "separability"),
    "block of logistic flow": job_of("logistic", "gradient_flow"),
    "block of linear": job_of("linear", "spectral"),
    "block of grokking times": job_of("linear", "bidiagonal", "grokking_times"),
    "block of two layers": job_of("two_layer", "gradient_flow"),
    "summarize": "import linear_grokking.workflow.steps.summarize",
    "planning": "from linear_grokking.workflow.plan import json_schema; json_schema()",
}
"""What a job imports before it computes; planning imports every figure's module."""

PLOTTING = {"matplotlib", "linear_grokking.figures.style"}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_on_a_cpu_imports_torch_or_what_makes_it_standard(command):
    assert not imported(COMMANDS[command]) & {"torch", "array_api_compat"}


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "planning"])
def test_jobs_and_summaries_import_neither_configuration_nor_plots(command):
    found = imported(COMMANDS[command])
    assert not found & {"pydantic", "snakemake", "scipy.stats", *PLOTTING}


def test_the_process_of_a_job_reads_rules_and_configuration_without_the_figures():
    rules = [path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk")]
    lines = [line for text in rules for line in text.splitlines()]
    found = imported(
        "; ".join(line for line in lines if line.startswith("from linear_grokking"))
        + "; from pathlib import Path; "
        f"Plan(read_again(load(Path({CONFIG!r}))))"
    )
    assert not found & {"linear_grokking.figures.a1", "scipy", *PLOTTING}


def test_a_command_is_imported_only_where_it_is_given():
    given = {"train": "workflow.train.command", "watch": "workflow.watch.command"}
    for command in ("", "watch"):
        arguments = [command] if command else []
        found = imported(f"from linear_grokking.cli import _parser; _parser({arguments})")
        there = {name for name, module in given.items() if f"linear_grokking.{module}" in found}
        assert there == set(arguments)
        assert command or not found & {"numpy", "pandas", "pyarrow", "pydantic", "scipy"}


STARTED = """
import runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
print(*sys.modules)
"""

LINEAR = {"model": "linear", "alpha": 1.0, "epsilon": 1e-3, "gamma": 0.0, "noise": 0.0}
LINEAR |= {"d_in": 5, "d_out": 1, "n_train": 9, "n_gen": 3, "eta": 0.01, "seed": 1}
LINEAR |= {"measure": "dynamics", "records": 3, "t_max": 10.0}
LOGISTIC = {"model": "logistic", "law": "gaussian", "sigma": 1.0, "d": 5, "n_train": 9, "seed": 1}
FLOW = {"measure": "dynamics", "solver": "gradient_flow", "loss": "cross_entropy", "n_gen": 0}
FLOW |= {"label_fraction": 1.0, "bias": True, "s0_norm": 0.1, "b0": 0.0, "dtype": "float64"}
FLOW |= {"eta": 0.01, "gd_steps": 2, "rtol": 1e-3, "records": 3, "t_max": 10.0}
MODULAR = {"model": "modular", "solver": "adamw", "measure": "dynamics", "p": 5, "n_train": 9}
MODULAR |= {"d_h": 4, "alpha": 0.3, "gamma": 1.0, "eta": 0.01, "beta1": 0.9, "beta2": 0.98}
MODULAR |= {"adam_epsilon": 1e-8, "records": 3, "t_max": 10.0, "seed": 1}
RUNS = {
    "linear": (LINEAR | {"solver": "spectral"}, {"numba", "scipy"}),
    "grokking times": (
        LINEAR | {"measure": "grokking_times", "solver": "bidiagonal", "accuracy": 0.95},
        {"numba", "scipy.optimize"},
    ),
    "separability": (
        LOGISTIC | {"measure": "separability", "solver": "newton", "margin": False},
        {"numba", "scipy.optimize"},
    ),
    "logistic flow": (LOGISTIC | FLOW, {"scipy.optimize"}),
    "modular": (MODULAR, {"numba", "scipy"}),
}
"""Small runs, and the libraries that their blocks do without, besides those of no job."""
OF_NO_JOB = {"array_api_compat", "pandas", "torch", "matplotlib", "pydantic", "snakemake"}


def loaded(script, request, *arguments):
    """Return the modules that a script of the workflow holds at its end."""
    command = [sys.executable, "-c", STARTED, ROOT / "workflow" / "scripts" / f"{script}.py"]
    done = subprocess.run(
        [*command, *arguments],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("run", RUNS)
def test_blocks_and_summaries_load_no_library_that_they_do_without(run, tmp_path):
    spec, spared = RUNS[run]
    log = ("--log", tmp_path / "log")
    block = tmp_path / run_id(spec) / "0-1.parquet"
    request = {"spec": spec, "block": "0-1"}
    found = loaded("train_block", request, *log, "--device", "cpu", "--threads", "1", block)
    assert not found & (OF_NO_JOB | spared)
    request = {"spec": spec, "folder": run_id(spec), "realizations": 2}
    request |= {"threshold": 0.95, "loss_threshold": 0.01}
    written = (tmp_path / "summary.parquet", tmp_path / "scalars.parquet")
    found = loaded("summarize_run", request, *log, "--root", tmp_path, *written)
    assert not found & (OF_NO_JOB | {"numba", "scipy", "pyarrow.dataset"})
