from functools import cache

from linear_grokking.jobs import resources
from linear_grokking.runtime import devices
from linear_grokking.workflow.plan import at_work, forecast


def limit(resource):
    """Return the most of a resource that jobs may request, together or each; None if unlimited."""
    return workflow.global_resources.get(resource).value


# `--resources gpu=...`, or a profile, gives the number of GPUs for all jobs together; by default
# it is the number of GPUs visible on this machine.  The process of a job knows what the job holds.
if workflow.is_main_process and limit("gpu") is None:
    visible = devices.visible_gpus()
    if visible or workflow.nodes is None:  # a cluster has GPUs of its own
        workflow.register_resource("gpu", visible)
at_work.use(plan, gpus=bool(limit("gpu")), named=workflow.is_main_process)
if plan.config.device == "cuda" and limit("gpu") == 0:
    refuse("device: is cuda, but there are no GPUs (gpu=0); auto and cpu are allowed.")

# In a profile that makes groups, the jobs of a group take turns in a slot.  (Without this check,
# a rule with a group would make Snakemake report groups wherever it runs.)
may_group = limit("slot") is not None

if workflow.is_main_process and limit("runtime"):
    doubt = forecast.too_long(plan, limit("runtime"), gpus=bool(limit("gpu")))
    if doubt:
        logger.warning(doubt)


def device_of(wildcards, resources):
    """Return the device of a job; a function of `resources`, so that changing it re-runs nothing.

    A job that holds no GPU leaves the GPUs that it can see to others.
    """
    device = plan.config.device
    return "cpu" if device == "auto" and not resources.get("gpu") else device


def threads_of(run_id):
    """Return one thread where several jobs of a run go side by side, all cores for a large job."""
    large = resources.is_large(plan.runs[run_id].cost)
    # A job that runs on another machine cannot know the number of cores there.
    here = workflow.is_main_process and workflow.nodes is None
    return workflow.cores if large and here else 1


def job_memory(wildcards, attempt):
    """Return the memory by the cost model, increased by half of it with each attempt."""
    held = at_work.held_by(wildcards.run_id)
    needed = resources.job_memory_mb(plan.runs[wildcards.run_id].cost, gpu=held)
    return int(needed * (1 + 0.5 * (attempt - 1)))


def job_gpus(wildcards):
    """Return one GPU if the job computes on it; None means that no GPU is requested."""
    return 1 if at_work.held_by(wildcards.run_id) else None


def job_gpu_memory(wildcards):
    """Return the least GPU memory that a job needs, by the cost model."""
    held = at_work.held_by(wildcards.run_id)
    return resources.gpu_memory_mb(plan.runs[wildcards.run_id].cost) if held else None


def job_minutes(wildcards, attempt):
    """Return the time by the cost model with a wide margin, as much again with each attempt.

    Snakemake keeps the time of a job within the limit, but that of a group is a sum.
    """
    minutes = attempt * asked_first(wildcards)
    if job_group(wildcards) and limit("runtime"):
        return min(minutes, limit("runtime") // group_size(wildcards))
    return minutes


def asked_first(wildcards):
    """Return the minutes that the first attempt of a job requests."""
    held = at_work.held_by(wildcards.run_id)
    run = plan.runs[wildcards.run_id]
    return resources.job_minutes(run.seconds(wildcards.block, gpu=held))


def job_group(wildcards):
    """Return the group of jobs that may share an allocation: all of them hold a GPU, or none.

    None if a group of such jobs would exceed the time limit of a job.
    """
    size = group_size(wildcards)
    if workflow.is_main_process and size > 1:
        warn_of_groups(size)
    longest = limit("runtime") or float("inf")
    fits = size * asked_first(wildcards) <= longest
    return group_name(wildcards) if size > 1 and fits else None


@cache
def warn_of_groups(size):
    """Report once the time that groups request; their size is not known before the first job."""
    said = forecast.groups(plan, size, limit("runtime"), gpus=bool(limit("gpu")))
    if said:
        logger.warning(said)


def group_size(wildcards):
    """Return the number of jobs in a group; 1 if no groups are made."""
    return workflow.group_settings.group_components.get(group_name(wildcards), 1)


def group_name(wildcards):
    """Return the name by which `--group-components`, or a profile, sets the size of groups."""
    return "gpu_blocks" if at_work.held_by(wildcards.run_id) else "blocks"
