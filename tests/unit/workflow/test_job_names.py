"""What queues call a job: figures, experiment, and the parameters that tell runs apart."""

import pytest

from linear_grokking.workflow.plan import Plan, at_work, job_names, read

LINEAR = {"model": "linear", "d_in": 20, "t_max": 100, "records": 5, "realizations": 3}
CONFIGURATION = {
    "seed": 1,
    "experiments": {
        "one": {**LINEAR, "lambda": [0.5, 2.0]},
        "other": {**LINEAR, "lambda": [0.5], "eta": 0.02},
        "unused": {**LINEAR, "lambda": [0.25]},
        "flow": {"model": "logistic", "n_train": 20, "d": 6, "realizations": 3},
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
def plan():
    return Plan(read(CONFIGURATION))


@pytest.fixture
def asked(monkeypatch):
    """What a profile asks, of which nothing is left behind."""
    monkeypatch.setattr(at_work, "_plan", None)
    monkeypatch.setattr(at_work, "_holders", frozenset())
    return at_work


def test_before_a_plan_is_known_a_run_is_called_by_its_id(asked):
    assert asked.name("0123456789abcdef") == "0123456789abcdef"
    assert asked.name("0123456789abcdef", "0-9") == "0123456789abcdef 0-9"
    assert not asked.held_by("0123456789abcdef")


@pytest.mark.parametrize("gpus", [True, False])
@pytest.mark.parametrize("named", [True, False])
def test_a_profile_asks_the_plan_at_work(asked, plan, gpus, named):
    asked.use(plan, gpus=gpus, named=named)
    run_id, [flow] = plan.points["one"][0].run_id, plan.points["flow"]
    assert asked.held_by(flow.run_id) == gpus
    assert not asked.held_by(run_id) and not asked.held_by("A1")
    assert asked.name(run_id, "0-2") == ("A1,A3 one lambda=0.5" if named else run_id) + " 0-2"
    assert asked.name("A1") == "A1"


def test_figures_experiment_and_what_differs(plan):
    first, second = (point.run_id for point in plan.points["one"])
    assert job_names.name(plan, first, "0-2") == "A1,A3 one lambda=0.5 0-2"
    assert job_names.name(plan, second) == "A1,A3 one lambda=2.0"
    (alone,) = (point.run_id for point in plan.points["other"])
    assert job_names.name(plan, alone, "0-2") == "A1 other 0-2"
    assert job_names.name(plan, "0123456789abcdef", "0-2") == "0123456789abcdef 0-2"


def test_a_name_is_never_too_long(plan, monkeypatch):
    monkeypatch.setattr(job_names, "LONGEST", 10)
    assert job_names.name(plan, plan.points["one"][0].run_id) == "A1,A3 one "[:10]
