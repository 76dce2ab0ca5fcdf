from linear_grokking.workflow.watch import build as builds
from linear_grokking.workflow.watch.last_word import LastWord
from linear_grokking.workflow.watch.line import BuildLine


def follow():
    """Record the planned jobs for `linear-grokking watch`; show the progress on a terminal."""
    jobs = {workflow.dag.jobid(job): job for job in workflow.dag.needrun_jobs()}
    build = builds.planned(
        plan,
        jobs,
        cores=workflow.nodes or workflow.cores,
        gpus=int(limit("gpu") or 0),
        threads={run_id: threads_of(run_id) for run_id in plan.runs},
        remote=workflow.nodes is not None,
    )
    if not build.jobs:
        return
    build.write(plan.root)
    logger.addHandler(LastWord(build, plan.root))
    quiet = {str(word) for word in workflow.output_settings.quiet or ()}
    if sys.stderr.isatty() and quiet.isdisjoint({"progress", "all"}):
        logger.addHandler(BuildLine(plan.root, sys.stderr))
