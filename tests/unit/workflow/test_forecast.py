"""Jobs and hours of a configuration, before and after some of its jobs are done."""

from pathlib import Path

import pytest
import small_plan

from linear_grokking.jobs.costs import job_seconds
from linear_grokking.workflow.plan import Plan, read
from linear_grokking.workflow.plan.forecast import (
    SCHEDULING_SECONDS,
    forecast,
    hours_on_gpus,
    makespan,
    table,
)

LOGISTIC = {"model": "logistic", "n_train": 40, "d": 16, "t_max": 100, "realizations": 5}
LINEAR = small_plan.CONFIGURATION["experiments"]["lin"] | {"realizations": 4, "block": 2}
CONFIGURATION = small_plan.CONFIGURATION | {
    "experiments": {"lin": LINEAR, "apart": {**LOGISTIC, "block": 5}}
}


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_jobs_and_hours_are_those_of_the_cost_model(tmp_path, device):
    plan = Plan(read(CONFIGURATION | {"device": device}), tmp_path)
    figure, everything = forecast(plan)
    linear = [run for run in plan.runs.values() if run.spec["model"] == "linear"]
    (logistic,) = [run for run in plan.runs.values() if run.spec["model"] == "logistic"]
    on_cpu = sum(2 * job_seconds(run.cost, 2, gpu=False) for run in linear) / 3600
    other = job_seconds(logistic.cost, 5, gpu=device == "cuda") / 3600
    assert (figure.figure, figure.runs, figure.jobs_left) == ("A1", 2, 4)
    # The spectral solver stays on the CPU.
    assert (figure.core_hours, figure.gpu_hours) == (pytest.approx(on_cpu), 0)
    assert (everything.figure, everything.runs, everything.jobs_left) == ("all", 3, 5)
    gpu = other if device == "cuda" else 0
    assert everything.gpu_hours == pytest.approx(gpu)
    assert everything.core_hours == pytest.approx(on_cpu + other - gpu)


def test_what_is_on_disk_is_done(tmp_path):
    plan = Plan(read(CONFIGURATION), tmp_path)
    (file, *_) = plan.block_files(plan.figure_runs("A1")[0])
    Path(tmp_path, file).parent.mkdir(parents=True)
    Path(tmp_path, file).touch()
    figure, everything = forecast(Plan(read(CONFIGURATION), tmp_path))
    assert (figure.jobs_done, figure.jobs_left) == (1, 3)
    assert (everything.jobs_done, everything.jobs_left) == (1, 4)


def test_the_table_has_a_line_for_each_figure(tmp_path):
    header, first, last = table(forecast(Plan(read(CONFIGURATION), tmp_path))).splitlines()
    assert header.split()[:2] == ["figure", "runs"]
    assert first.split()[:4] == ["A1", "2", "0", "4"]
    assert last.split()[:4] == ["all", "3", "0", "5"]


@pytest.mark.parametrize(("workers", "end"), [(1, 12), (2, 6), (3, 4), (9, 4)])
def test_jobs_go_to_the_worker_that_is_free_first(workers, end):
    assert makespan([4, 3, 2, 1, 1, 1], workers) == end


def test_hours_on_gpus_count_every_job(tmp_path, monkeypatch):
    plan = Plan(read(CONFIGURATION), tmp_path)
    monkeypatch.setattr("linear_grokking.workflow.plan.planning.Run.seconds", seconds)
    # Four jobs of two realizations of regression, and one of five on a GPU: 2, 2, 2, 2 and 50.
    assert hours_on_gpus(plan, 1) * 3600 == pytest.approx(58 + 5 * SCHEDULING_SECONDS)
    assert hours_on_gpus(plan, 99) * 3600 == pytest.approx(50 + SCHEDULING_SECONDS)


def seconds(run, block, *, gpu):
    """Take a second a realization, and ten on a GPU, to tell them apart."""
    first, last = (int(part) for part in Path(block).stem.split("-"))
    return (last - first + 1) * (10.0 if gpu else 1.0)
