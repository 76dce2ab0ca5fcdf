import gc
import os
import shlex
import sys
from pathlib import Path

from snakemake.logging import logger

# What was imported stays, and so does nearly all of a plan: to look through it for garbage as
# often as Python does takes a fifth of a dry run.
gc.freeze()
gc.set_threshold(50_000)

try:
    import linear_grokking
except ModuleNotFoundError:
    sys.exit("linear_grokking is not installed here; `make figures` installs it.")

from linear_grokking.config import ConfigurationError, load, main_file
from linear_grokking.errors import LinearGrokkingError
from linear_grokking.results.identity import RUN_ID, canonical
from linear_grokking.workflow.plan import Plan, read, read_again
from linear_grokking.workflow.plan import noted_configurations, read_only, targets
from linear_grokking.workflow.plan.stale import is_locked

# The code that runs must be of the same folder as these rules.
repository = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
package = Path(linear_grokking.__file__).resolve().parent
if package != (repository / "src" / "linear_grokking").resolve():
    sys.exit(
        f"The rules are those of {repository}, but the code that would run is {package}: "
        f"run `make` in {repository}, or its .venv/bin/snakemake."
    )


def refuse(error):
    """Leave with what is wrong with the configuration, and nothing else around it."""
    sys.exit(f"The configuration cannot be used:\n{error}")


if workflow.is_main_process and read_only.is_read_only():
    logger.warning(
        "This folder is read-only: results can be inspected, but nothing can be made."
    )
    workflow.workdir(str(read_only.view()))

main = main_file()
overlays = [os.path.relpath(overlay) for overlay in workflow.overwrite_configfiles]
# A workflow that uses this one as a module gives the configuration itself.
is_module = workflow.modifier.skip_configfile

# Snakemake reads a file for itself, but with a traceback where it is no text, without a word
# where a key stands twice, and running what a template in it says.
try:
    if workflow.is_main_process and not is_module:
        for name in (main, *overlays):
            load(Path(name))
except ConfigurationError as error:
    refuse(error)


configfile: str(main)


given = [str(main), *overlays, *(workflow.config_settings.config_args or ())]
sources = ["another workflow"] if is_module else list(dict.fromkeys(given))
try:
    plan = Plan(
        read(config) if workflow.is_main_process else read_again(config),
        # Where a workflow that uses this one as a module puts results/ and figures/.
        Path(workflow.modifier.modify_path("results")).parent,
        sources=sources,
        trusted=not workflow.is_main_process,
    )
except ConfigurationError as error:
    refuse(error)

# Snakemake stops as well, and says less of it.
if workflow.is_main_process and is_locked(Path()):
    logger.warning(
        "Another Snakemake is running in this folder, or was killed in it "
        "(if so: snakemake --unlock, and again)."
    )


# Not before: a dry run, and whoever finds the folder locked, change nothing.
onstart:
    try:
        plan.disk.set_aside(logger.warning)
        noted_configurations.write(plan.root, sources, config)
        follow()
    except OSError as error:
        sys.exit(f"error: {error}")
    if workflow.local_exec:
        start_jobs_at_once()


wildcard_constraints:
    run_id=RUN_ID.pattern,
    block=r"\d+-\d+",
    # X1 is made of claims, not of runs.
    figure="(?!X)[A-Z]+[0-9]+",


# Where commands find their programs.  In the text of a rule these places would make a folder
# that was moved run everything again.
os.environ.update(
    GROKKING_PYTHON=sys.executable,
    GROKKING_SCRIPTS=str(repository / "workflow" / "scripts"),
)


# In a command, whose braces are Snakemake's.
quoted_root = shlex.quote(str(plan.root)).replace("{", "{{").replace("}", "}}")


def script(name, options=f"--root {quoted_root}"):
    """Return the command of a rule: its script, the request on standard input, log, outputs.

    The script takes the shell's place, so that what tells a job to stop reaches it.  Requests
    of any length pass: they are no argument of a program.
    """
    program = f'exec "$GROKKING_PYTHON" "$GROKKING_SCRIPTS"/{name}.py --log {{log:q}}'
    return f"{program} {options} {{output:q}} <<< {{params.request:q}}"


# The two writes to Snakemake's internals, where it has no option; pyproject.toml names the
# versions that have them.
def make_again(path):
    """Have a file made again, as if it had been asked for with `--forcerun`."""
    workflow.dag.forcefiles.add(path)


def start_jobs_at_once():
    """Lift the limit of 100 jobs a second, which only a cluster's controller needs.

    It leaves with each job one more timer that wakes the scheduler every second: after a thousand
    jobs this took more of a core than the jobs did.
    """
    workflow.scheduler.job_rate_limiter = None


def inputs(target):
    """Return the function that names a rule's inputs: those of the target of its wildcards.

    What lies there but is of another request or code is made again, whatever Snakemake's own
    notes and the files' times say.
    """

    def function(wildcards):
        try:
            made = target(wildcards)
            for name in targets.outdated(plan, made):
                make_again(str(plan.root / name))
            return made.inputs
        except (LinearGrokkingError, OSError) as error:
            sys.exit(f"error: {error}")

    return function


def request(target):
    """Return the function that writes down what the job of a rule's target is told."""
    return lambda wildcards: canonical(target(wildcards).request)
