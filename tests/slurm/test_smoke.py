"""`snakemake --profile slurm` makes what this machine makes, with GPUs where they are of use."""

import os
import re
import subprocess

from copies import REPOSITORY
from miniatures import SMOKE
from workplace import TRAINING

from linear_grokking.workflow.plan import Plan, read


def test_figures_of_every_kind_of_training(cluster, workplace, once, make):
    config = read(SMOKE.config)
    local = once("figures_of_every_kind", lambda folder: make(Plan(config, folder)))
    plan = Plan(config, local)
    place = workplace(SMOKE)
    places = {"GROKKING_SLURM_PARTITION": "cpu", "GROKKING_SLURM_GPU_PARTITION": "gpu"}
    place.run(timeout_s=3600, **places)
    place.assert_same_results(local)
    for figure in plan.config.figures:
        assert (place.folder / "figures" / f"{figure}.pdf").stat().st_size > 1000
        assert (place.folder / "figures" / f"{figure}.png").stat().st_size > 1000

    jobs = place.jobs()
    blocks = sum(len(plan.block_files(run)) for run in plan.runs)
    # Beside the blocks each run's summary, each figure, the manifest and the claims.
    expected = blocks + len(plan.runs) + len(plan.config.figures) + 2
    assert len(jobs) == len({job["Comment"] for job in jobs}) == expected
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    trained = on_gpus = 0
    for job in jobs:
        rule, run_id = re.search(
            "/(?:rule|group)_([a-z_]+)/(?:([0-9a-f]{16})_)?", job["StdOut"]
        ).groups()
        trained += rule in TRAINING
        if rule in TRAINING and plan.runs[run_id].kind.on_gpu:
            on_gpus += 1
            assert job["Partition"] == "gpu" and job["TresPerJob"] == "gres:gpu:1"
            assert len(cluster.gpus(job["JobId"])) == 1
            assert cluster.gpus(job["JobId"]) <= {"0", "1", "2"}
        else:
            assert job["Partition"] == "cpu" and "TresPerJob" not in job
            assert cluster.gpus(job["JobId"]) == {""}
        assert job["JobName"].startswith("linear-grokking_")
    assert trained == blocks and 0 < on_gpus < trained

    comments = {job["Comment"] for job in jobs}
    assert {
        "A1,A2 a1_dynamics lambda=0.9 0-2",
        "A1 a1_dynamics lambda=1.5 0-2",
        "A1 a1_dynamics lambda=1.5",
        "B6 e1 d=14 lambda=0.35 0-19",
        "B14 b14_outputs 0-0",
        "A1",
        "BT1",
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
