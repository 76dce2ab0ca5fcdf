"""The table of kinds: complete, consistent with the code it names, and the source of identities."""

import importlib
import inspect
import itertools

import pyarrow as pa
import pytest

from linear_grokking.config.experiments import EXPERIMENTS
from linear_grokking.jobs import kinds
from linear_grokking.jobs.kinds import KINDS, Kind, kind_of, run_id, solvers_of
from linear_grokking.results import fingerprint
from linear_grokking.results.identity import FOLDERS, hashed
from linear_grokking.workflow.plan import read

SIZES = {
    "linear": {"d_in": 20, "n_train": 40},
    "two_layer": {"d_in": 10, "n_train": 20, "d_h": 4},
    "logistic": {"n_train": 20, "d": 8},
    "two_point": {"lambda": 0.4},
    "modular": {"p": 5},
}


def spec_of(kind: Kind, **changes):
    """Return a spec of a kind, as a configuration gives it."""
    named = {"model": kind.model, "solver": kind.solver, "measure": kind.measure}
    if kind.labels != "random":
        named |= {"labels": kind.labels, "label_fraction": 0.7}
    if kind.data != "matrix":
        named |= {"data": kind.data}
    experiment = named | SIZES[kind.model] | changes
    config = read({"seed": 3, "experiments": {"this": experiment}, "figures": {}})
    (point,) = config.experiments["this"].grid(config.seed)
    return point.spec


def named(kind):
    labels = "" if kind.labels == "random" else f" {kind.labels}"
    data = "" if kind.data == "matrix" else f" {kind.data}"
    return f"{kind.model} {kind.solver} {kind.measure}{labels}{data}"


@pytest.fixture(params=KINDS, ids=named)
def kind(request):
    return request.param


def function(place):
    module, name = place.split(":")
    return getattr(importlib.import_module(f"linear_grokking.{module}"), name)


def test_each_kind_is_there_once_and_found_by_its_spec(kind):
    assert [named(each) for each in KINDS].count(named(kind)) == 1
    assert kind_of(spec_of(kind)) is kind
    assert kind.measure in FOLDERS


def test_a_kind_names_code_that_takes_what_it_says(kind):
    job = inspect.signature(function(kind.job)).parameters
    given = {*kind.parts, *(["solve"] if kind.solve else [])}
    assert set(job) == {"spec", "realizations", "context", *given}
    if kind.solve:
        taken = inspect.signature(function(kind.solve)).parameters
        assert {"model", "params", "steps", "checkpoint", "on_record"} <= set(taken)
        assert ("eta" in taken) == ("eta" in spec_of(kind))
        assert set(kind.options) <= set(taken) & set(spec_of(kind))


def test_every_model_and_solver_of_the_configuration_has_a_kind():
    for name, experiment in EXPERIMENTS.items():
        (model,) = experiment.model_fields["model"].annotation.__args__
        for measure in experiment.model_fields["measure"].annotation.__args__:
            assert solvers_of(model, measure), name
            default = experiment.model_fields["solver"].default
            assert default in solvers_of(model, measure)


def test_schemas_are_those_of_the_data_contract():
    history = ["realization", "step", "train_loss", "gen_loss", "train_accuracy", "gen_accuracy"]
    assert kinds.LINEAR.names == history
    assert kinds.TWO_LAYER.names == [*history, "gen_loss_error"]
    assert kinds.LOGISTIC.names == [*history, "weight_norm", "bias", "conformal_time"]
    assert kinds.OUTPUTS.names == ["realization", "sample", "output", "along", "across"]
    verdicts = ["separable", "certificate", "s_inf_norm", "positive_fraction", "positive_mean"]
    margins = ["margin", "box_margin", "box_norm"]
    assert kinds.SEPARABILITY.names == ["realization", *verdicts, *margins]
    times = ["realization", "t_train", "t_gen", "smallest_eigenvalue"]
    assert kinds.GROKKING_TIMES.names == times
    for kind in KINDS:
        assert kind.schema.field("realization").type == pa.int32()


def test_identities_follow_spec_and_code(kind, monkeypatch):
    spec = spec_of(kind)
    assert run_id(spec) == hashed(spec, kind.code(spec))
    assert run_id(spec | {"t_max": 12.0}) != run_id(spec)
    before = run_id(spec)
    monkeypatch.setattr(kinds, "fingerprint", lambda entries: f"other {entries}")
    assert run_id(spec) != before and "other" in kind.code(spec)


def test_a_run_has_the_code_of_its_own_loss_and_law_alone(monkeypatch):
    asked = []
    monkeypatch.setattr(kinds, "fingerprint", lambda entries: asked.append(entries) or "code")
    flow = next(each for each in KINDS if named(each) == "logistic gradient_flow dynamics")
    for loss in ("cross_entropy", "exponential"):
        kind_of(spec_of(flow)).code(spec_of(flow, loss=loss))
    first, second = asked
    assert set(first) ^ set(second) == {"models.losses:CrossEntropy", "models.losses:Exponential"}
    assert "data.laws:Gaussian" in first and "data.laws:Mixture" not in first
    assert all(fingerprint.fingerprint([entry]) for entry in first)


def test_where_no_label_differs_the_run_is_the_one_of_random_labels():
    flow = next(each for each in KINDS if named(each) == "logistic gradient_flow dynamics")
    for r, same in ((1, True), (0.7, False)):
        random, decided = (
            run_id(spec_of(flow, label_fraction=r, labels=labels))
            for labels in ("random", "threshold")
        )
        assert (random == decided) == same
    assert "labels" not in spec_of(flow, label_fraction=0.7)


def test_runs_on_matrices_know_nothing_of_deferred_data():
    flow = next(each for each in KINDS if named(each) == "logistic gradient_flow dynamics")
    assert "data" not in spec_of(flow) and spec_of(flow, data="matrix") == spec_of(flow)
    deferred = spec_of(flow, data="deferred")
    assert deferred["dtype"] == "float64" and run_id(deferred) != run_id(spec_of(flow))


def test_what_is_no_kind_is_refused_by_name():
    with pytest.raises(ValueError, match="model is missing"):
        kind_of({"measure": "dynamics"})
    with pytest.raises(ValueError, match="linear, newton, dynamics, random labels, matrix data: "):
        kind_of({"measure": "dynamics", "model": "linear", "solver": "newton"})


def test_kinds_that_differ_in_their_solver_differ_in_their_code():
    """Otherwise an edited solver would leave the identities of its runs as they were."""
    spec = {"law": "gaussian", "loss": "cross_entropy"}
    pairs = [
        (one, other)
        for one, other in itertools.combinations(KINDS, 2)
        if one.job == other.job and one.solve != other.solve
    ]
    assert len(pairs) > 10
    for one, other in pairs:
        assert one.code(spec) != other.code(spec), (one, other)
