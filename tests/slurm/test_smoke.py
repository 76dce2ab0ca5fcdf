"""`snakemake --profile slurm` makes what a local run makes, with GPUs where they are of use."""

import re

import pytest
from miniatures import FIGURES, SMOKE
from workplace import TRAINING


def test_figures_come_out_as_in_a_local_run(cluster, workplace, undisturbed):
    place = workplace(FIGURES)
    place.run()
    place.assert_same_results(undisturbed(FIGURES))
    for figure in FIGURES.config["figures"]:
        assert (place.folder / "figures" / f"{figure}.pdf").stat().st_size > 1000
        assert (place.folder / "figures" / f"{figure}.png").stat().st_size > 1000

    jobs = place.jobs()
    assert len(jobs) == len({job["Comment"] for job in jobs}) == 15
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    for job in jobs:
        rule = re.search("/rule_([a-z_]+)/", job["StdOut"])[1]
        if rule in TRAINING:
            assert job["TresPerJob"] == "gres:gpu:1"
            assert len(cluster.gpus(job["JobId"])) == 1
            assert cluster.gpus(job["JobId"]) <= {"0", "1", "2"}
        else:
            assert "TresPerJob" not in job
            assert cluster.gpus(job["JobId"]) == {""}
        assert job["JobName"].startswith("linear-grokking_")

    comments = {job["Comment"] for job in jobs}
    assert {
        "A1 a1_dynamics lambda=0.5 0-1",
        "A1 a1_dynamics lambda=1.5 0-1",
        "A1 a1_dynamics lambda=1.5",
        "B6 e1 2-3",
        "outputs 0-1",
        "rule_tabulate_figure_wildcards_A1",
        "rule_draw_figure_wildcards_B6",
    } <= comments

    assert "Nothing to be done" in place.run()


@pytest.mark.long
def test_every_figure_of_the_smoke_configuration_comes_out_as_in_a_local_run(
    workplace, undisturbed
):
    place = workplace(SMOKE)
    code, said = place.start().wait(timeout_s=7200)
    assert code == 0, said
    place.assert_same_results(undisturbed(SMOKE))
    for figure in SMOKE.config["figures"]:
        assert (place.folder / "figures" / f"{figure}.pdf").exists()
        assert (place.folder / "figures" / f"{figure}.png").exists()
