"""Paper A's jobs: the two solvers of each model on the same data, and what they are given."""

import numpy as np
import pytest

from linear_grokking.jobs import teacher_student
from linear_grokking.jobs.kinds import kind_of
from linear_grokking.runtime.context import JobContext
from linear_grokking.runtime.devices import resolve
from linear_grokking.solvers.trajectory import Outcome, Trajectory
from linear_grokking.workflow.steps.block import assemble

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


def histories(spec, realizations=(0, 1), **context):
    found = dict(kind_of(spec).compute(spec, list(realizations), JobContext(**context)))
    assert list(found) == list(realizations)
    return found


@pytest.mark.parametrize("law", [{}, {"law": "power_law", "spectral_exponent": 2.0}])
def test_one_layer_solvers_agree_step_by_step(law):
    spectral, literal = (
        histories({**LINEAR, **law, "solver": solver})
        for solver in ("spectral", "gradient_descent")
    )
    for realization in (0, 1):
        for name in ("step", "train_loss", "gen_loss", "train_accuracy", "gen_accuracy"):
            np.testing.assert_allclose(
                spectral[realization][name], literal[realization][name], rtol=1e-9, err_msg=name
            )


def test_a_law_of_inputs_changes_the_run():
    structured = {**LINEAR, "solver": "spectral", "law": "power_law"}
    losses = [
        histories(spec, (0,))[0]["gen_loss"]
        for spec in (
            {**LINEAR, "solver": "spectral"},
            {**structured, "spectral_exponent": 0.0},
            {**structured, "spectral_exponent": 2.0},
        )
    ]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-12)
    assert np.abs(losses[2] / losses[0] - 1).max() > 0.3


@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_two_layer_descent_approaches_the_flow_linearly_in_eta(activation):
    def gap(eta):
        # Long strides of t at small eta: the same flow time for both.
        spec = {**TWO_LAYER, "activation": activation, "eta": eta, "t_max": 20.0 / eta}
        spec["records"] = 2
        flow, steps = (
            histories({**spec, "solver": solver}, (0,))[0]
            for solver in ("gradient_flow", "gradient_descent")
        )
        return abs(steps["train_loss"][-1] / flow["train_loss"][-1] - 1)

    coarse, fine = gap(0.04), gap(0.02)
    assert coarse < 0.02
    assert fine == pytest.approx(coarse / 2, rel=0.2)


@pytest.mark.parametrize("solver", ["gradient_flow", "gradient_descent"])
def test_sampling_error_is_zero_exactly_where_the_loss_is_exact(solver):
    for activation, sampled in (("identity", False), ("tanh", True)):
        spec = {**TWO_LAYER, "solver": solver, "activation": activation, "t_max": 10.0}
        found = histories(spec)
        assert all((columns["gen_loss_error"] > 0).all() == sampled for columns in found.values())
        table = assemble(spec, found)
        assert table.num_rows == 2 * len(found[0]["step"])
        assert all(column.null_count == 0 for column in table.columns)


def test_realizations_do_not_depend_on_their_block():
    spec = {**TWO_LAYER, "solver": "gradient_flow", "activation": "tanh", "t_max": 10.0}
    together, alone = (histories(spec, some)[1] for some in ((0, 1), (1,)))
    np.testing.assert_equal(together, alone)


@pytest.mark.parametrize(
    ("solver", "spec", "layers"),
    [
        ("spectral", LINEAR, 1),
        ("gradient_descent", LINEAR, 1),
        ("gradient_flow", {**TWO_LAYER, "activation": "identity"}, 2),
        ("gradient_descent", {**TWO_LAYER, "activation": "identity"}, 2),
    ],
)
def test_observer_sees_the_student_at_its_own_steps_too(solver, spec, layers):
    seen = {}

    def look(step, params):
        seen[step] = [np.array(layer) for layer in params]

    spec = {**spec, "solver": solver, "t_max": 20.0, "records": 3}
    found = histories(spec, (0,), on_record=look, more_steps=np.array([7.0]))[0]
    assert 7.0 in found["step"]
    assert list(seen) == found["step"].tolist()
    assert all(len(params) == layers for params in seen.values())


def test_flow_of_two_layers_stays_on_the_cpu_where_the_logistic_one_may_leave_it(monkeypatch):
    monkeypatch.setattr("linear_grokking.runtime.devices.gpu_present", lambda: True)

    def device(model, solver):
        kind = kind_of({"model": model, "solver": solver, "measure": "dynamics"})
        return resolve("auto", computes_there=kind.on_gpu)

    assert device("two_layer", "gradient_flow") == "cpu"
    assert device("two_layer", "gradient_descent") == "cuda"
    assert device("logistic", "gradient_flow") == "cuda"


@pytest.mark.parametrize(
    "spec",
    [
        LINEAR,
        {**TWO_LAYER, "activation": "identity"},
        {**TWO_LAYER, "activation": "tanh"},
    ],
)
def test_literal_steps_in_torch_agree_with_numpy_in_batches_too(spec):
    pytest.importorskip("torch")
    spec = {**spec, "solver": "gradient_descent", "t_max": 50.0}
    expected = histories(spec)
    # torch's CPU under a name that NumPy's path does not go by: the path of a GPU.
    found = histories(spec, device="cpu:0")
    for realization, columns in expected.items():
        for name, values in columns.items():
            np.testing.assert_allclose(found[realization][name], values, rtol=1e-9, err_msg=name)


def test_each_realization_draws_batches_of_its_own_however_they_are_grouped():
    """The same numbers alone and beside another; different ones for different realizations."""
    drawn = {}

    def solve(model, params, *, steps, **_):
        for stream, student in zip(model.streams, params[0], strict=True):
            drawn.setdefault(student.tobytes(), []).append(tuple(stream.integers(1000, size=8)))
        names = ("train_loss", "gen_loss", "train_accuracy", "gen_accuracy")
        shape = len(params[0]), len(steps)
        found = dict.fromkeys(names, np.zeros(shape))
        return Trajectory(Outcome.COMPLETED, steps, found, params, 0)

    spec = {**LINEAR, "solver": "sgd", "batch_size": 8}
    for realizations in ([0, 1], [1], [0]):
        list(teacher_student.one_layer_in_batches(spec, realizations, JobContext(), solve=solve))
    first, second = drawn.values()
    assert len(set(first)) == len(set(second)) == 1 and first[0] != second[0]
