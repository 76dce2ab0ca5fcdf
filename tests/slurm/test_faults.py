"""What clusters do to jobs, and to Snakemake, leaves the results as they would have been."""

import os
import re
import signal
from contextlib import suppress
from pathlib import Path

from cluster import NODE, until
from miniatures import SLOW

BLOCKS = ("0-0", "1-1", "2-2")


def test_jobs_killed_cancelled_and_warned_of_the_end_are_tried_again(
    cluster, workplace, undisturbed
):
    place = workplace(SLOW)
    snakemake = place.start()
    processes = {block: place.seize(block) for block in BLOCKS}
    jobs = {block: place.job(block)["JobId"] for block in BLOCKS}
    os.kill(processes["0-0"], signal.SIGKILL)
    cluster.ask("scancel", jobs["1-1"])
    # A job is warned two minutes before its time is over.
    cluster.ask("scontrol", "update", f"JobId={jobs['2-2']}", "EndTime=now+120")
    until(lambda: is_told_to_stop(processes["2-2"]), "the warning")
    with suppress(ProcessLookupError):
        os.kill(processes["2-2"], signal.SIGCONT)
    code, said = snakemake.wait()
    assert code == 0, said

    for block, state in {"0-0": "FAILED", "1-1": "CANCELLED", "2-2": "FAILED"}.items():
        assert f"SLURM-job '{jobs[block]}' failed, SLURM status is: '{state}'" in said
        assert f"/{block}.log" in said
        first, second = place.jobs_of(block)
        assert (first["JobId"], first["JobState"]) == (jobs[block], state)
        assert second["JobState"] == "COMPLETED"
        assert memory(second) > memory(first)
        assert second["TimeLimit"] == "00:20:00"
    # The two that were told to stop saved their state first.
    for block in ("1-1", "2-2"):
        assert re.search(f"asked to stop; progress is in .*/.{block}.resume", said)
        assert "going on from the state that a stopped job saved" in place.log(block)
    place.assert_same_results(undisturbed(SLOW))


def test_a_job_out_of_time_is_named_and_made_the_next_time(cluster, workplace, undisturbed):
    place = workplace(SLOW)
    snakemake = place.start("--retries", "0")
    # It sleeps over the warning, until SLURM ends it.
    place.seize("0-0")
    job = place.job("0-0")["JobId"]
    cluster.ask("scontrol", "update", f"JobId={job}", "EndTime=now+1")
    code, said = snakemake.wait()
    assert code == 1
    assert f"SLURM-job '{job}' failed, SLURM status is: 'TIMEOUT'" in said
    (run,) = (place.folder / "logs" / "train_block").iterdir()
    assert f"results/histories/{run.name}/0-0.parquet" in said
    assert f"logs/train_block/{run.name}/0-0.log" in said
    # The others were not held up, and are not made again.
    place.run()
    assert [len(place.jobs_of(block)) for block in BLOCKS] == [2, 1, 1]
    assert "going on from the state that a stopped job saved" in place.log("0-0")
    place.assert_same_results(undisturbed(SLOW))


def test_a_drained_node_and_requeued_jobs_only_delay(cluster, workplace, undisturbed):
    place = workplace(SLOW)
    snakemake = place.start()
    processes = {block: place.seize(block) for block in BLOCKS}
    cluster.ask("scontrol", "update", f"NodeName={NODE}", "State=DRAIN", "Reason=maintenance")
    try:
        # A drained node ends what it has begun, and begins nothing.
        for block in ("0-0", "1-1"):
            os.kill(processes[block], signal.SIGCONT)
        for block in ("0-0", "1-1"):
            until(lambda block=block: place.job(block)["JobState"] == "COMPLETED", block)
        cluster.ask("scontrol", "requeue", place.job("2-2")["JobId"])
        until(lambda: place.job("2-2")["JobState"] == "PENDING", "2-2 to wait")
    finally:
        cluster.ask("scontrol", "update", f"NodeName={NODE}", "State=RESUME")
    code, said = snakemake.wait()
    assert code == 0, said
    assert "failed" not in said
    assert [len(place.jobs_of(block)) for block in BLOCKS] == [1, 1, 1]
    assert place.job("2-2")["Restarts"] == "1"
    assert "going on from the state that a stopped job saved" in place.log("2-2")
    place.assert_same_results(undisturbed(SLOW))


def test_after_kill_9_of_snakemake_the_documented_recipe_recovers(cluster, workplace, undisturbed):
    place = workplace(SLOW)
    snakemake = place.start()
    place.seize("0-0")
    snakemake.kill()
    place.seize("1-1")
    assert place.recover() == 0
    for block in BLOCKS:
        first, *later = place.jobs_of(block)
        # No two jobs of a block at the same time; times are ISO and compare as text.
        for job in later:
            assert job["StartTime"] >= first["EndTime"]
            first = job
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
