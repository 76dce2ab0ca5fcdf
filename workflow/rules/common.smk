import gc
import os
import shlex
import sys
import warnings
from pathlib import Path

from snakemake.logging import logger

# Imported modules and nearly all of a plan stay in memory.  Searching them for garbage as often
# as Python does by default takes a fifth of a dry run.
gc.freeze()
gc.set_threshold(50_000)

# Snakemake asks for the sizes of files that are not there yet, and does not wait for the answer.
warnings.filterwarnings("ignore", "coroutine 'InputFiles.*' was never awaited")

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

# The code that runs must be from the same folder as these rules.
repository = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
package = Path(linear_grokking.__file__).resolve().parent
if package != (repository / "src" / "linear_grokking").resolve():
    sys.exit(
        f"The rules are those of {repository}, but the code that would run is {package}: "
        f"run `make` in {repository}, or its .venv/bin/snakemake."
    )


def refuse(error):
    """Exit with a message on what is wrong with the configuration, and nothing else."""
    sys.exit(f"The configuration cannot be used:\n{error}")


if workflow.is_main_process and read_only.is_read_only():
    logger.warning(
        "This folder is read-only: results can be inspected, but nothing can be made."
    )
    workflow.workdir(str(read_only.view()))

main = main_file()
overlays = [os.path.relpath(overlay) for overlay in workflow.overwrite_configfiles]
# A workflow that uses this one as a module provides the configuration itself.
is_module = workflow.modifier.skip_configfile

# Snakemake reads the files itself, but it shows a traceback if a file is not text, does not
# report duplicate keys, and executes templates in the file.  So they are checked here first.
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
        # The folder in which a workflow that uses this one as a module puts results/ and figures/.
        Path(workflow.modifier.modify_path("results")).parent,
        sources=sources,
        trusted=not workflow.is_main_process,
    )
    if workflow.is_main_process:
        # It imports the figures, which the process of a job does without.
        from linear_grokking.workflow.plan import together

        together.check(plan)
except ConfigurationError as error:
    refuse(error)

# Snakemake stops in this case too, but with less explanation.
if workflow.is_main_process and is_locked(Path()):
    logger.warning(
        "Another Snakemake is running in this folder, or was killed in it "
        "(if so: snakemake --unlock, and again)."
    )


# Only at the start of a run: a dry run, or a run that finds the folder locked, changes nothing.
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
    # X1 is made from claims, not from runs.
    figure="(?!X)[A-Z]+[0-9]+",


# Where commands find their programs.  If these paths were in the text of a rule, moving the
# folder would make everything run again.
os.environ.update(
    GROKKING_PYTHON=sys.executable,
    GROKKING_SCRIPTS=str(repository / "workflow" / "scripts"),
)


# For use in commands, where Snakemake interprets braces.
quoted_root = shlex.quote(str(plan.root)).replace("{", "{{").replace("}", "}}")


def script(name, options=f"--root {quoted_root}"):
    """Return the command of a rule: its script, the request on standard input, log, outputs.

    The script replaces the shell, so that signals that stop a job reach it.  The request may be
    of any length, as it is not passed as an argument.
    """
    program = f'exec "$GROKKING_PYTHON" "$GROKKING_SCRIPTS"/{name}.py --log {{log:q}}'
    return f"{program} {options} {{output:q}} <<< {{params.request:q}}"


# The only two places that modify Snakemake's internals, as it has no option for either;
# pyproject.toml names the versions that have these internals.
def make_again(path):
    """Have a file made again, as if it had been given to `--forcerun`."""
    workflow.dag.forcefiles.add(path)


def start_jobs_at_once():
    """Lift the limit of 100 jobs per second, which only a cluster's controller needs.

    With the limit, each job leaves behind a timer that wakes the scheduler every second; after a
    thousand jobs these timers took more CPU time than the jobs.
    """
    workflow.scheduler.job_rate_limiter = None


def inputs(target):
    """Return the function that names a rule's inputs: those of the target of its wildcards.

    Files that were made for another request, or by other code, are made again, whatever
    Snakemake's own records and the files' times say.
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
    """Return the function that writes the request of the job of a rule's target as text."""
    return lambda wildcards: canonical(target(wildcards).request)
