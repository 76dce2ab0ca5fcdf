"""What queues call a job: figures, experiment, and the parameters that tell runs apart."""

import pytest

from linear_grokking.workflow.plan import Plan, job_names, read

LINEAR = {"model": "linear", "d_in": 20, "t_max": 100, "records": 5, "realizations": 3}
CONFIGURATION = {
    "seed": 1,
    "experiments": {
        "one": {**LINEAR, "lambda": [0.5, 2.0]},
        "other": {**LINEAR, "lambda": [0.5], "eta": 0.02},
        "unused": {**LINEAR, "lambda": [0.25]},
    },
    "figures": {
        "A1": {
            "dynamics": "one",
            "times": "other",
            "epsilon": [1e-3],
            "lambda": {"start": 0.3, "stop": 1.2, "points": 2},
        },
        "A3": {
            "dynamics": "one",
            "times": "one",
            "above_one": "one",
            "lambda": [0.5],
            "gamma": {"start": 1e-3, "stop": 1e-2, "points": 2},
        },
    },
}


@pytest.fixture
def plan(monkeypatch):
    monkeypatch.setattr(job_names, "_plan", None)
    return Plan(read(CONFIGURATION))


def test_before_a_plan_is_known_a_run_is_called_by_its_id(plan):
    assert job_names.name("0123456789abcdef") == "0123456789abcdef"
    assert job_names.name("0123456789abcdef", "0-9") == "0123456789abcdef 0-9"


def test_figures_experiment_and_what_differs(plan):
    job_names.use(plan)
    first, second = (point.run_id for point in plan.points["one"])
    assert job_names.name(first, "0-2") == "A1,A3 one lambda=0.5 0-2"
    assert job_names.name(second) == "A1,A3 one lambda=2.0"
    (alone,) = (point.run_id for point in plan.points["other"])
    assert job_names.name(alone, "0-2") == "A1 other 0-2"
    assert job_names.name("0123456789abcdef", "0-2") == "0123456789abcdef 0-2"


def test_a_name_is_never_too_long(plan, monkeypatch):
    job_names.use(plan)
    monkeypatch.setattr(job_names, "LONGEST", 10)
    assert job_names.name(plan.points["one"][0].run_id) == "A1,A3 one "[:10]
