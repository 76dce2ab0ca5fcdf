import os
import shlex
import sys
from pathlib import Path

from snakemake.logging import logger

from linear_grokking import costs, labels
from linear_grokking.config import ConfigurationError, load, read, read_again
from linear_grokking.plan import Plan, draw_code, tabulate_code
from linear_grokking.runs import code_fingerprint
from linear_grokking.stale import is_locked


def refuse(error):
    """Leave with what is wrong with the configuration, and nothing else around it."""
    sys.exit(f"The configuration cannot be used:\n{error}")


# Snakemake reads a file for itself, but with a traceback where it is no text, without a word
# where a key stands twice, and running what a template in it says.
try:
    if workflow.is_main_process:
        load(Path("config/config.yaml"))
        for overlay in workflow.overwrite_configfiles:
            load(Path(os.path.relpath(overlay)))
except ConfigurationError as error:
    refuse(error)


configfile: "config/config.yaml"


try:
    plan = Plan(read(config) if workflow.is_main_process else read_again(config))
except ConfigurationError as error:
    refuse(error)

# Once per invocation, not again in the process of each job.
if workflow.is_main_process:
    labels.use(plan)
    # Snakemake stops as well, but may only say that files are incomplete.
    if is_locked(Path()):
        logger.warning(
            "Another Snakemake is at work in this folder, or was killed in it "
            "(then: snakemake --unlock, and again with --rerun-incomplete)."
        )
    plan.set_aside_damaged(logger.warning)


wildcard_constraints:
    run_id="[0-9a-f]{16}",
    block=r"\d+-\d+",
    figure="[A-Z]+[0-9]+",


# Rules call the package's command line, the one beside this interpreter.  A job's messages
# go to its log and to the terminal.  Where SIGTERM tells a job to stop, the shell waits for
# it and the copying process outlives it, so that it can save its state and say so.
shell.prefix(
    f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; trap : TERM; "
    """keep_log() {{ trap '' TERM; exec tee -i "$1" >&2; }}; """
)


def spec_of(wildcards):
    """Canonical spec of a run."""
    return plan.spec(wildcards.run_id)


def device_of(wildcards, resources):
    """Device of a job; a function of `resources`, so that changing it re-runs nothing."""
    return plan.config.device


def job_threads(wildcards):
    """One thread where several jobs run side by side, all cores where one is large."""
    large = costs.is_large(plan.runs[wildcards.run_id].spec)
    return workflow.cores if large and workflow.cores else 1


def job_memory(wildcards, attempt):
    """Memory by the cost model, half as much again with each attempt."""
    needed = costs.job_memory_mb(plan.runs[wildcards.run_id].spec, plan.config.device)
    return int(needed * (1 + 0.5 * (attempt - 1)))


def job_gpu_memory(wildcards):
    """Least GPU memory by the cost model; free memory beyond it makes larger batches."""
    return costs.gpu_memory_mb(plan.runs[wildcards.run_id].spec)


def job_minutes(wildcards, attempt):
    """Time by the cost model with a wide margin, doubled with each attempt."""
    first, last = (int(part) for part in wildcards.block.split("-"))
    spec = plan.runs[wildcards.run_id].spec
    seconds = costs.job_seconds(spec, last - first + 1, plan.config.device)
    return int(10 + 3 * seconds / 60) * attempt
