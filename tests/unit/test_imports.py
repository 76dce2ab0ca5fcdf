"""Each command of the workflow imports what it uses: start-up is paid by every job."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / "config" / "config.yaml")

REPORT = "import sys; {}; print(' '.join(sorted(set(sys.modules))))"


def imported(statements):
    """Return the modules that a fresh interpreter holds after some statements."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT.format(statements)],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


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
def test_no_command_on_a_cpu_imports_torch(command):
    assert "torch" not in imported(COMMANDS[command])


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


def test_jobs_need_no_tables():
    for command in COMMANDS:
        if command.startswith("block"):
            assert "pandas" not in imported(COMMANDS[command]), command
