from functools import cache

from linear_grokking.jobs import costs
from linear_grokking.runtime import devices
from linear_grokking.workflow.plan import at_work, forecast


def limit(resource):
    """Most of a resource that jobs may ask for, all together or each; None where nobody says."""
    return workflow.global_resources.get(resource).value


# `--resources gpu=...`, or a profile, says how many GPUs there are for all jobs together; of
# this machine, those that are visible.  The process of a job knows what the job holds.
if workflow.is_main_process and limit("gpu") is None:
    visible = devices.visible_gpus()
    if visible:
        workflow.register_resource("gpu", visible)
at_work.use(plan, gpus=bool(limit("gpu")), named=workflow.is_main_process)
if plan.config.device == "cuda" and limit("gpu") == 0:
    refuse("device: is cuda, but there are no GPUs (gpu=0); auto and cpu are allowed.")

# A profile that makes groups has their jobs take turns.  (A rule with a group makes Snakemake
# speak of groups wherever it runs.)
may_group = limit("slot") is not None

if workflow.is_main_process and limit("runtime"):
    doubt = forecast.too_long(plan, limit("runtime"), gpus=bool(limit("gpu")))
    if doubt:
        logger.warning(doubt)


def device_of(wildcards, resources):
    """Device of a job; a function of `resources`, so that changing it re-runs nothing.

    A job that holds no GPU leaves those that it may see to others.
    """
    device = plan.config.device
    return "cpu" if device == "auto" and not resources.get("gpu") else device


def job_threads(wildcards):
    """One thread where several jobs run side by side, all cores where one is large."""
    return threads_of(wildcards.run_id)


def threads_of(run_id):
    """Threads of each job of a run."""
    large = costs.is_large(plan.runs[run_id].cost)
    # A job that is sent elsewhere cannot know the cores there.
    here = workflow.is_main_process and workflow.nodes is None
    return workflow.cores if large and here else 1


def job_memory(wildcards, attempt):
    """Memory by the cost model, half as much again with each attempt."""
    held = at_work.held_by(wildcards.run_id)
    needed = plan.runs[wildcards.run_id].memory_mb(gpu=held)
    return int(needed * (1 + 0.5 * (attempt - 1)))


def job_gpus(wildcards):
    """One GPU where the job computes on it; to ask for none is not to ask."""
    return 1 if at_work.held_by(wildcards.run_id) else None


def job_gpu_memory(wildcards):
    """Least GPU memory by the cost model."""
    held = at_work.held_by(wildcards.run_id)
    return plan.runs[wildcards.run_id].gpu_memory_mb if held else None


def job_minutes(wildcards, attempt):
    """Time by the cost model with a wide margin, as much again with each attempt.

    Snakemake keeps it to the limit; what a group asks for is a sum.
    """
    minutes = attempt * asked_first(wildcards)
    if job_group(wildcards) and limit("runtime"):
        return min(minutes, limit("runtime") // group_size(wildcards))
    return minutes


def asked_first(wildcards):
    """Time of a job's first attempt, in minutes."""
    held = at_work.held_by(wildcards.run_id)
    run = plan.runs[wildcards.run_id]
    return costs.job_minutes(run.seconds(wildcards.block, gpu=held))


def figure_minutes(wildcards, attempt):
    """Time of a figure's table or of its drawing; where both are one job, it asks for the sum."""
    minutes = 10 * attempt
    return min(minutes, max(limit("runtime") // 2, 1)) if limit("runtime") else minutes


def job_group(wildcards):
    """Group of jobs that may share what they ask for: all or none hold a GPU.

    None for a job of which a group would take longer than a job may.
    """
    size = group_size(wildcards)
    if workflow.is_main_process and size > 1:
        warn_of_groups(size)
    longest = limit("runtime") or float("inf")
    fits = size * asked_first(wildcards) <= longest
    return group_name(wildcards) if size > 1 and fits else None


@cache
def warn_of_groups(size):
    """Say once how long groups ask for; how large they are is not known before the first job."""
    said = forecast.groups(plan, size, limit("runtime"), gpus=bool(limit("gpu")))
    if said:
        logger.warning(said)


def group_size(wildcards):
    """Jobs in a group; 1 where there are none."""
    return workflow.group_settings.group_components.get(group_name(wildcards), 1)


def group_name(wildcards):
    """Name by which `--group-components`, or a profile, says how large groups are."""
    return "gpu_blocks" if at_work.held_by(wildcards.run_id) else "blocks"
