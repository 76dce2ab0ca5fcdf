"""`snakemake --profile slurm` makes what this machine makes, with GPUs where they are of use."""

import os
import re
import subprocess

from copies import REPOSITORY
from miniatures import SMOKE
from workplace import TRAINING

from linear_grokking.workflow.plan import Plan, read


def test_a_figure_from_its_training_to_its_claims(cluster, workplace, undisturbed):
    plan = Plan(read(SMOKE.config))
    place = workplace(SMOKE)
    places = {"GROKKING_SLURM_PARTITION": "cpu", "GROKKING_SLURM_GPU_PARTITION": "gpu"}
    place.run(**places)
    place.assert_same_results(undisturbed(SMOKE))
    assert (place.folder / "figures" / "B6.pdf").stat().st_size > 1000
    assert (place.folder / "figures" / "B6.png").stat().st_size > 1000

    jobs = place.jobs()
    blocks = sum(len(plan.block_files(run)) for run in plan.runs)
    # Beside the blocks each run's summary, the figure's table and drawing, manifest and claims.
    assert len(jobs) == len({job["Comment"] for job in jobs}) == blocks + len(plan.runs) + 4
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    trained = 0
    for job in jobs:
        rule = re.search("/rule_([a-z_]+)/", job["StdOut"])[1]
        if rule in TRAINING:
            trained += 1
            assert job["Partition"] == "gpu" and job["TresPerJob"] == "gres:gpu:1"
            assert len(cluster.gpus(job["JobId"])) == 1
            assert cluster.gpus(job["JobId"]) <= {"0", "1", "2"}
        else:
            assert job["Partition"] == "cpu" and "TresPerJob" not in job
            assert cluster.gpus(job["JobId"]) == {""}
        assert job["JobName"].startswith("linear-grokking_")
    assert trained == blocks

    comments = {job["Comment"] for job in jobs}
    assert {
        "B6 e1 d=14 lambda=0.35 0-19",
        "B6 e1 d=14 lambda=0.35",
        "B6 table",
        "B6 drawing",
        "rule_list_runs",
    } <= comments

    assert "Nothing to be done" in place.run(**places)


def test_the_documented_list_of_jobs_can_be_had(cluster):
    text = (REPOSITORY / "docs" / "cluster.md").read_text(encoding="utf-8")
    [command] = re.findall("^squeue .*$", text, re.MULTILINE)
    done = subprocess.run(
        ["bash", "-c", command],
        env=os.environ | cluster.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["JOBID", "PARTITION"]
