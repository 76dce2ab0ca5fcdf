"""`snakemake --profile slurm` makes what this machine makes, with GPUs where they are of use."""

import re

from miniatures import SMOKE
from workplace import TRAINING


def test_every_figure_of_the_smoke_configuration(cluster, workplace, smoke):
    local, plan = smoke
    place = workplace(SMOKE)
    place.run(timeout_s=3600)
    place.assert_same_results(local)
    assert len(plan.config.figures) == 25
    for figure in plan.config.figures:
        assert (place.folder / "figures" / f"{figure}.pdf").stat().st_size > 1000
        assert (place.folder / "figures" / f"{figure}.png").stat().st_size > 1000

    jobs = place.jobs()
    blocks = sum(len(plan.block_files(run)) for run in plan.runs)
    # Beside the blocks each run's summary, each figure, the manifest and the claims.
    expected = blocks + len(plan.runs) + len(plan.config.figures) + 2
    assert len(jobs) == len({job["Comment"] for job in jobs}) == expected
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    trained = 0
    for job in jobs:
        rule = re.search("/(?:rule|group)_([a-z_]+)/", job["StdOut"])[1]
        if rule in TRAINING:
            trained += 1
            assert job["TresPerJob"] == "gres:gpu:1"
            assert len(cluster.gpus(job["JobId"])) == 1
            assert cluster.gpus(job["JobId"]) <= {"0", "1", "2"}
        else:
            assert "TresPerJob" not in job
            assert cluster.gpus(job["JobId"]) == {""}
        assert job["JobName"].startswith("linear-grokking_")
    assert trained == blocks

    comments = {job["Comment"] for job in jobs}
    assert {
        "A1,A2,A7 a1_dynamics lambda=0.9 0-2",
        "A1 a1_dynamics lambda=1.5 0-2",
        "A1 a1_dynamics lambda=1.5",
        "B1,B6,B7 e1 d=14 lambda=0.35 0-19",
        "B2 b2_outputs lambda=0.48 0-0",
        "A1",
        "BT1",
        "rule_list_runs",
    } <= comments

    assert "Nothing to be done" in place.run()
