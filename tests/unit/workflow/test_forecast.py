"""Jobs and hours of a configuration, before and after some of its jobs are done."""

from pathlib import Path

import pytest
import small_plan

from linear_grokking.config import load_merged
from linear_grokking.jobs.resources import job_minutes, job_seconds
from linear_grokking.workflow.plan import Plan, read, targets
from linear_grokking.workflow.plan.forecast import (
    SCHEDULING_SECONDS,
    Cluster,
    forecast,
    groups,
    makespan,
    on_cluster,
    table,
    too_long,
)
from linear_grokking.workflow.steps.block import train_block

LOGISTIC = {"model": "logistic", "n_train": 40, "d": 16, "t_max": 100, "realizations": 5}
LINEAR = small_plan.CONFIGURATION["experiments"]["lin"] | {"realizations": 4, "block": 2}
CONFIGURATION = small_plan.CONFIGURATION | {
    "experiments": {"lin": LINEAR, "apart": {**LOGISTIC, "block": 5}}
}


@pytest.mark.parametrize(
    ("device", "gpus", "taken"),
    [("cpu", True, False), ("cuda", False, True), ("auto", False, False), ("auto", True, True)],
)
def test_jobs_and_hours_are_those_of_the_cost_model(tmp_path, device, gpus, taken):
    plan = Plan(read(CONFIGURATION | {"device": device}), tmp_path)
    figure, everything = forecast(plan, gpus=gpus)
    linear = [run for run in plan.runs.values() if run.spec["model"] == "linear"]
    (logistic,) = [run for run in plan.runs.values() if run.spec["model"] == "logistic"]
    on_cpu = sum(2 * job_seconds(run.cost, 2, gpu=False) for run in linear) / 3600
    other = job_seconds(logistic.cost, 5, gpu=taken) / 3600
    assert (figure.figure, figure.runs, figure.jobs_left) == ("A1", 2, 4)
    # The spectral solver stays on the CPU.
    assert (figure.core_hours, figure.gpu_hours) == (pytest.approx(on_cpu), 0)
    assert (everything.figure, everything.runs, everything.jobs_left) == ("all", 3, 5)
    gpu = other if taken else 0
    assert everything.gpu_hours == pytest.approx(gpu)
    assert everything.core_hours == pytest.approx(on_cpu + other - gpu)


def test_what_is_on_disk_and_whole_is_done(tmp_path):
    plan = Plan(read(CONFIGURATION), tmp_path)
    run_id = plan.figure_runs("A1")[0]
    whole, damaged = plan.block_files(run_id)
    request = targets.block(plan, run_id, Path(whole).stem).request
    train_block(request, [tmp_path / whole], device="cpu", threads=1)
    (tmp_path / damaged).touch()
    figure, everything = forecast(Plan(read(CONFIGURATION), tmp_path), gpus=False)
    assert (figure.jobs_done, figure.jobs_left) == (1, 3)
    assert (everything.jobs_done, everything.jobs_left) == (1, 4)


def test_the_table_has_a_line_for_each_figure(tmp_path):
    header, first, last = table(
        forecast(Plan(read(CONFIGURATION), tmp_path), gpus=False)
    ).splitlines()
    assert header.split()[:2] == ["figure", "runs"]
    assert first.split()[:4] == ["A1", "2", "0", "4"]
    assert last.split()[:4] == ["all", "3", "0", "5"]


@pytest.mark.parametrize(("workers", "end"), [(1, 12), (2, 6), (3, 4), (9, 4)])
def test_jobs_go_to_the_worker_that_is_free_first(workers, end):
    assert makespan([4, 3, 2, 1, 1, 1], workers) == end


def test_no_worker_is_refused_in_one_line():
    with pytest.raises(ValueError, match=r"device: cuda.*there is no GPU"):
        makespan([1.0], 0)


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Four jobs of two realizations of regression, and one of five that takes a GPU."""
    monkeypatch.setattr("linear_grokking.workflow.plan.planning.Run.seconds", seconds)
    return Plan(read(CONFIGURATION), tmp_path)


def seconds(run, block, *, gpu):
    """Take an hour a realization, and ten on a GPU, to tell them apart."""
    first, last = (int(part) for part in Path(block).stem.split("-"))
    return (last - first + 1) * (10.0 if gpu else 1.0) * 3600


@pytest.mark.parametrize(
    ("gpus", "cores", "hours"), [(1, 1, 50), (1, 99, 50), (9, 1, 50), (0, 1, 13), (0, 4, 7)]
)
def test_a_cluster_is_done_when_its_gpus_and_its_cores_are(plan, gpus, cores, hours):
    expected = on_cluster(plan, gpus, cores)
    jobs = {1: 5, 4: 2}[cores] if not gpus else 1
    assert expected.hours * 3600 == pytest.approx(hours * 3600 + jobs * SCHEDULING_SECONDS)
    on_gpus = (1, 4, 50.0, 8.0, 50.0) if gpus else (0, 5, 0.0, 13.0, 5.0)
    counted = Cluster(gpus, cores, *on_gpus, hours=expected.hours)
    assert expected == counted


def test_cores_may_be_what_is_waited_for(plan):
    # 2 times 30 jobs of two hours on cores, 50 hours on the GPU.
    more = {"lin": LINEAR | {"realizations": 60}, "apart": {**LOGISTIC, "block": 5}}
    more = Plan(read(CONFIGURATION | {"experiments": more}), plan.root)
    one, many = (on_cluster(more, 1, cores).hours for cores in (1, 60))
    assert one == pytest.approx(120, rel=0.01) and many == pytest.approx(50, rel=0.01)


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    config = Path(__file__).parents[3] / "config"
    merged = load_merged([config / "config.yaml", config / "paper.yaml"])
    return Plan(read(merged), tmp_path_factory.mktemp("paper"))


@pytest.mark.parametrize("gpus", [0, 1, 8, 64, 1000])
@pytest.mark.parametrize("cores", [1, 64])
def test_no_cluster_is_faster_than_its_longest_job(paper, gpus, cores):
    expected = on_cluster(paper, gpus, cores)
    # The margin of one set at N = 40,000, on the host wherever the rest is done.
    assert expected.hours > expected.longest_hours > 0.5
    assert expected.gpu_jobs + expected.core_jobs == sum(
        len(paper.block_files(run_id)) for run_id in paper.runs
    )


def test_jobs_that_may_be_too_long_for_a_limit_are_named(tmp_path):
    sets = {"measure": "separability", "n_train": 40_000, "lambda": [0.4, 0.52], "margin": True}
    raw = CONFIGURATION | {"device": "cuda"}
    raw["experiments"] = raw["experiments"] | {"sets": sets}
    plan = Plan(read(raw), tmp_path)
    said = too_long(plan, 40, gpus=True)
    assert said.startswith("Jobs may request at most 40 minutes") and "\n" not in said
    assert "for 1 of 5 runs: a job of sets lambda=0.52 is expected to take" in said
    assert too_long(plan, 24 * 60, gpus=True) == ""


def test_how_long_groups_ask_for_is_said_where_no_limit_covers_them(tmp_path):
    sets = {"measure": "separability", "n_train": 40_000, "lambda": 0.52, "margin": True}
    experiments = CONFIGURATION["experiments"] | {"sets": sets}
    plan = Plan(read(CONFIGURATION | {"experiments": experiments}), tmp_path)
    (far,) = plan.points["sets"]
    of_it = 3 * job_minutes(plan.runs[far.run_id].seconds("0-0", gpu=False))
    said = groups(plan, 3, None, gpus=False)
    assert said.startswith(f"Groups of 3 jobs request up to {of_it} minutes") and "\n" not in said
    said = groups(plan, 3, of_it - 1, gpus=False)
    assert said == (
        "Jobs of 1 of 4 runs are not grouped: 3 jobs like those of sets would request "
        f"{of_it} minutes, more than {of_it - 1}."
    )
    assert groups(plan, 3, of_it, gpus=False) == ""


def test_a_block_larger_than_its_run_makes_no_longer_job(tmp_path):
    sets = {"measure": "separability", "n_train": 40_000, "lambda": [0.4, 0.52], "margin": True}
    raw = CONFIGURATION | {"device": "cuda"}
    said = [
        too_long(
            Plan(read(raw | {"experiments": raw["experiments"] | {"sets": sets | more}}), tmp_path),
            40,
            gpus=True,
        )
        for more in ({}, {"block": 1000})
    ]
    assert said[0] == said[1] != ""
