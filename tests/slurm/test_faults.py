"""What clusters do to jobs, and to Snakemake, leaves the results as they would have been."""

import os
import re
import signal
from contextlib import suppress
from pathlib import Path

from cluster import until
from miniatures import SLOW

BLOCKS = ("0-0", "1-1", "2-2", "3-3", "4-4")


def test_jobs_killed_cancelled_warned_out_of_time_and_requeued_go_on(
    cluster, workplace, undisturbed
):
    place = workplace(SLOW)
    snakemake = place.start()
    processes = place.seize(*BLOCKS)
    jobs = {block: place.job(block)["JobId"] for block in BLOCKS}
    os.kill(processes["0-0"], signal.SIGKILL)
    cluster.ask("scancel", jobs["1-1"])
    # A job is warned two minutes before its time is over.
    cluster.ask("scontrol", "update", f"JobId={jobs['2-2']}", "EndTime=now+120")
    # This one sleeps over the warning, until SLURM ends it.
    cluster.ask("scontrol", "update", f"JobId={jobs['3-3']}", "EndTime=now+1")
    cluster.ask("scontrol", "requeue", jobs["4-4"])
    until(lambda: is_told_to_stop(processes["2-2"]), "the warning")
    with suppress(ProcessLookupError):
        os.kill(processes["2-2"], signal.SIGCONT)
    code, said = snakemake.wait()
    assert code == 0, said

    failed = {"0-0": "FAILED", "1-1": "CANCELLED", "2-2": "FAILED", "3-3": "TIMEOUT"}
    for block, state in failed.items():
        assert f"SLURM-job '{jobs[block]}' failed, SLURM status is: '{state}'" in said
        assert f"/{block}.log" in said
        first, second = place.jobs_of(block)
        assert (first["JobId"], first["JobState"]) == (jobs[block], state)
        assert second["JobState"] == "COMPLETED"
        assert memory(second) > memory(first)
        assert second["TimeLimit"] == "00:20:00"
    # SLURM itself begins again with a job that it requeues, and Snakemake only waits longer.
    (requeued,) = place.jobs_of("4-4")
    assert (requeued["JobState"], requeued["Restarts"]) == ("COMPLETED", "1")
    assert f"SLURM-job '{jobs['4-4']}' failed" not in said
    # All that were told to stop saved their state first.
    for block in ("1-1", "2-2", "3-3", "4-4"):
        assert "resuming from the state saved by a stopped job" in place.log(block)
    for block in ("1-1", "2-2", "3-3"):
        assert re.search(f"asked to stop; progress is in .*/.{block}.resume", said)
    place.assert_same_results(undisturbed(SLOW))


def test_after_kill_9_of_snakemake_the_documented_recipe_recovers(cluster, workplace, undisturbed):
    # One at work when Snakemake is killed, one soon after, and one that nobody touches.
    blocks = BLOCKS[:3]
    place = workplace(SLOW, *SLOW.targets[:3])
    snakemake = place.start()
    place.seize("0-0")
    snakemake.kill()
    place.seize("1-1")
    assert place.recover() == 0
    for block in blocks:
        first, *later = place.jobs_of(block)
        # No two jobs of a block at the same time; times are ISO and compare as text.
        for job in later:
            assert job["StartTime"] >= first["EndTime"]
            first = job
    # What a Snakemake's jobs saved, the next one's go on from.
    for block in ("0-0", "1-1"):
        assert "resuming from the state saved by a stopped job" in place.log(block)
    place.assert_same_results(undisturbed(SLOW))


def is_told_to_stop(process):
    """Tell whether SIGTERM waits for a process, or has ended it."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return True
    pending = int(re.search(r"ShdPnd:\s*(\w+)", status)[1], 16)
    return bool(pending >> (signal.SIGTERM - 1) & 1)


def memory(job):
    """Return the memory that a job asked for, in MB."""
    return int(re.search(r"mem=(\d+)M", job["TRES"])[1])
