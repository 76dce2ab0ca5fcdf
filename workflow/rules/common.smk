import json
import os
import shlex
import sys
from pathlib import Path

from snakemake.logging import logger

from linear_grokking.config import ConfigurationError, load
from linear_grokking.jobs import costs
from linear_grokking.results.identity import RUN_ID
from linear_grokking.workflow.plan import Plan, job_names, read, read_again
from linear_grokking.workflow.plan.stale import is_locked


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
    job_names.use(plan)
    # Snakemake stops as well, but may only say that files are incomplete.
    if is_locked(Path()):
        logger.warning(
            "Another Snakemake is at work in this folder, or was killed in it "
            "(then: snakemake --unlock, and again with --rerun-incomplete)."
        )
    plan.set_aside_damaged(logger.warning)


wildcard_constraints:
    run_id=RUN_ID.pattern,
    block=r"\d+-\d+",
    figure="[A-Z]+[0-9]+",


# Where commands find their programs.  In the text of a rule these places would make a folder
# that was moved run everything again.
scripts = (
    Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent / "scripts"
)
places = f"PYTHON={shlex.quote(sys.executable)} SCRIPTS={shlex.quote(str(scripts))}; "
# Snakemake's own prefix, which one of ours replaces.
strict = "set -euo pipefail; "
shell.prefix(strict + places.replace("{", "{{").replace("}", "}}"))


def script(name, options=""):
    """Return the command of a rule: its script, the request on standard input, log, outputs.

    The script takes the shell's place, so that what tells a job to stop reaches it.  Requests
    of any length pass: they are no argument of a program.
    """
    program = f'exec "$PYTHON" "$SCRIPTS"/{name}.py --log {{log:q}}'
    return f"{program} {options} {{output:q}} <<< {{params.request:q}}"


def table_request(wildcards, input):
    """What is made from a figure's table alone."""
    return json.dumps({"table": input[0]})


def device_of(wildcards, resources):
    """Device of a job; a function of `resources`, so that changing it re-runs nothing."""
    return plan.config.device


def job_threads(wildcards):
    """One thread where several jobs run side by side, all cores where one is large."""
    large = costs.is_large(plan.runs[wildcards.run_id].cost)
    return workflow.cores if large and workflow.cores else 1


def job_memory(wildcards, attempt):
    """Memory by the cost model, half as much again with each attempt."""
    needed = plan.runs[wildcards.run_id].memory_mb(gpu=plan.config.device != "cpu")
    return int(needed * (1 + 0.5 * (attempt - 1)))


def job_gpu_memory(wildcards):
    """Least GPU memory by the cost model."""
    return plan.runs[wildcards.run_id].gpu_memory_mb


def job_minutes(wildcards, attempt):
    """Time by the cost model with a wide margin, doubled with each attempt."""
    run = plan.runs[wildcards.run_id]
    return int(10 + 3 * run.seconds(wildcards.block, gpu=run.on_gpu) / 60) * attempt
