"""Paper A's jobs: the two solvers of each model on the same data, and what they are given."""

import numpy as np
import pytest

from linear_grokking.jobs import linear, two_layer
from linear_grokking.jobs.block import assemble
from linear_grokking.jobs.context import JobContext, Observer
from linear_grokking.jobs.device import resolve

COMMON = {
    "measure": "dynamics",
    "seed": 3,
    "d_in": 30,
    "d_out": 2,
    "n_train": 40,
    "epsilon": 1e-2,
    "n_gen": 50,
    "t_max": 2000.0,
    "records": 12,
}
LINEAR = {**COMMON, "model": "linear", "alpha": 2.0, "noise": 1e-2, "gamma": 0.05, "eta": 0.05}
TWO_LAYER = {**COMMON, "model": "two_layer", "d_h": 10, "gamma": 0.02, "eta": 0.01}


def histories(job, spec, realizations=(0, 1), **context):
    found = dict(job(spec, list(realizations), JobContext(**context)))
    assert list(found) == list(realizations)
    return found


def test_one_layer_solvers_agree_step_by_step():
    spectral = histories(linear.spectral, {**LINEAR, "solver": "spectral"})
    literal = histories(linear.gradient_descent, {**LINEAR, "solver": "gradient_descent"})
    for realization in (0, 1):
        for name in ("step", "train_loss", "gen_loss", "train_accuracy", "gen_accuracy"):
            np.testing.assert_allclose(
                spectral[realization][name], literal[realization][name], rtol=1e-9, err_msg=name
            )


@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_two_layer_descent_approaches_the_flow_linearly_in_eta(activation):
    def gap(eta):
        # Long strides of t at small eta: the same flow time for both.
        spec = {**TWO_LAYER, "activation": activation, "eta": eta, "t_max": 20.0 / eta}
        spec["records"] = 2
        flow = histories(two_layer.gradient_flow, {**spec, "solver": "gradient_flow"}, (0,))[0]
        steps = histories(two_layer.gradient_descent, {**spec, "solver": "gradient_descent"}, (0,))[
            0
        ]
        return abs(steps["train_loss"][-1] / flow["train_loss"][-1] - 1)

    coarse, fine = gap(0.04), gap(0.02)
    assert coarse < 0.02
    assert fine == pytest.approx(coarse / 2, rel=0.2)


@pytest.mark.parametrize("solver", ["gradient_flow", "gradient_descent"])
def test_sampling_error_is_zero_exactly_where_the_loss_is_exact(solver):
    job = getattr(two_layer, solver)
    for activation, sampled in (("identity", False), ("tanh", True)):
        spec = {**TWO_LAYER, "solver": solver, "activation": activation, "t_max": 10.0}
        found = histories(job, spec)
        assert all((columns["gen_loss_error"] > 0).all() == sampled for columns in found.values())
        table = assemble(spec, found)
        assert table.num_rows == 2 * len(found[0]["step"])
        assert all(column.null_count == 0 for column in table.columns)


def test_realizations_do_not_depend_on_their_block():
    spec = {**TWO_LAYER, "solver": "gradient_flow", "activation": "tanh", "t_max": 10.0}
    together, alone = (histories(two_layer.gradient_flow, spec, some)[1] for some in ((0, 1), (1,)))
    np.testing.assert_equal(together, alone)


@pytest.mark.parametrize(
    ("job", "spec", "layers"),
    [
        (linear.spectral, LINEAR, 1),
        (linear.gradient_descent, LINEAR, 1),
        (two_layer.gradient_flow, {**TWO_LAYER, "activation": "identity"}, 2),
        (two_layer.gradient_descent, {**TWO_LAYER, "activation": "identity"}, 2),
    ],
)
def test_observer_sees_the_student_at_its_own_steps_too(job, spec, layers):
    seen = {}

    def look(step, params):
        seen[step] = [np.array(layer) for layer in params]

    spec = {**spec, "t_max": 20.0, "records": 3}
    observer = Observer(look, steps=np.array([7.0]))
    found = histories(job, spec, (0,), observer=observer)[0]
    assert 7.0 in found["step"]
    assert list(seen) == found["step"].tolist()
    assert all(len(params) == layers for params in seen.values())


def test_flow_of_two_layers_stays_on_the_cpu_where_the_logistic_one_may_leave_it(monkeypatch):
    monkeypatch.setattr("linear_grokking.jobs.device.gpu_present", lambda: True)
    assert resolve("auto", {"model": "two_layer", "solver": "gradient_flow"}) == "cpu"
    assert resolve("auto", {"model": "two_layer", "solver": "gradient_descent"}) == "cuda"
    assert resolve("auto", {"model": "logistic", "solver": "gradient_flow"}) == "cuda"


@pytest.mark.parametrize(
    ("job", "spec"),
    [
        (linear.gradient_descent, LINEAR),
        (two_layer.gradient_descent, {**TWO_LAYER, "activation": "identity"}),
        (two_layer.gradient_descent, {**TWO_LAYER, "activation": "tanh"}),
    ],
)
def test_literal_steps_in_torch_agree_with_numpy(job, spec, monkeypatch):
    torch = pytest.importorskip("torch")
    spec = {**spec, "t_max": 50.0}
    expected = histories(job, spec)
    # What the jobs do on a GPU, on torch's CPU tensors.
    monkeypatch.setattr("linear_grokking.jobs.teacher_student.mover", lambda _: torch.from_numpy)
    found = histories(job, spec, device="cuda")
    for realization, columns in expected.items():
        for name, values in columns.items():
            np.testing.assert_allclose(found[realization][name], values, rtol=1e-9, err_msg=name)
