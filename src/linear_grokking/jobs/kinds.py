"""The table of all kinds of runs: a kind is a measure of a model, by a solver."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pkgutil import resolve_name
from typing import Any

import pyarrow as pa

from linear_grokking.data.laws import LAWS, law_of
from linear_grokking.jobs import costs
from linear_grokking.jobs.costs import Cost
from linear_grokking.models.losses import LOSSES
from linear_grokking.results.fingerprint import fingerprint
from linear_grokking.results.identity import Spec, hashed
from linear_grokking.runtime.context import JobContext, Results

PACKAGE = __name__.partition(".")[0]

_OBSERVABLES = ("step", "train_loss", "gen_loss", "train_accuracy", "gen_accuracy")


def _schema(*numbers: str, **others: pa.DataType) -> pa.Schema:
    """Return the columns of a block: the realization, float64 numbers, and others in front."""
    columns = {"realization": pa.int32(), **others, **dict.fromkeys(numbers, pa.float64())}
    return pa.schema(list(columns.items()))


LINEAR = _schema(*_OBSERVABLES)
TWO_LAYER = _schema(*_OBSERVABLES, "gen_loss_error")
LOGISTIC = _schema(*_OBSERVABLES, "weight_norm", "bias", "conformal_time")
OUTPUTS = _schema("output", "along", "across", sample=pa.int32())
GROKKING_TIMES = _schema("t_train", "t_gen", "smallest_eigenvalue")
SEPARABILITY = _schema(
    *("s_inf_norm", "positive_fraction", "positive_mean", "margin", "box_margin", "box_norm"),
    separable=pa.bool_(),
    certificate=pa.string(),
)


@dataclass(frozen=True)
class Kind:
    """A kind of run: a measure of a model by a solver.

    Attributes
    ----------
    model, solver, measure
        As the configuration names them.
    job
        The function ``"module:name"`` that computes realizations.
    schema
        Columns of its files.
    cost
        Cost of one realization, from the spec.
    solve
        The solver ``"module:name"`` that the job is given; None if it needs none.
    labels
        How the labels of the training set are assigned: at random unless a spec says otherwise.
    data
        How its inputs are drawn, see `data_of`.
    options
        Keys of the spec that this solver takes, besides eta.
    parts
        What else the job is given, as the spec names it: ``law``, ``loss``.
    on_gpu
        Whether it computes on a GPU where there is one.  Other kinds would spend their time
        waiting for data there, or are integrated by a library without GPU support.
    literal
        Whether the solver takes every step.
    """

    model: str
    solver: str
    measure: str
    job: str
    schema: pa.Schema
    cost: Callable[[Spec], Cost]
    solve: str | None = None
    labels: str = "random"
    data: str = "matrix"
    options: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    on_gpu: bool = False
    literal: bool = False

    def compute(self, spec: Spec, realizations: Sequence[int], context: JobContext) -> Results:
        """Yield the realizations' columns, one after another."""
        given: dict[str, Any] = {name: _PARTS[name][0](spec) for name in self.parts}
        if self.solve is not None:
            given["solve"] = partial(_load(self.solve), **{key: spec[key] for key in self.options})
        return _load(self.job)(spec, realizations, context, **given)

    def code(self, spec: Spec) -> str:
        """Return the fingerprint of the code that computes a run."""
        parts = [_PARTS[name][1](spec) for name in self.parts]
        return fingerprint([self.job, *([self.solve] if self.solve else []), *parts])


_PARTS: Mapping[str, tuple[Callable[[Spec], Any], Callable[[Spec], str]]] = {
    "law": (law_of, lambda spec: _place(LAWS[spec["law"]])),
    "loss": (lambda spec: LOSSES[spec["loss"]], lambda spec: _place(type(LOSSES[spec["loss"]]))),
}
"""What a spec names besides a solver: the object itself, and where its code is."""


def _place(definition: type) -> str:
    return f"{definition.__module__.removeprefix(f'{PACKAGE}.')}:{definition.__qualname__}"


def _load(place: str) -> Callable[..., Any]:
    return resolve_name(f"{PACKAGE}.{place}")


_STEPS: Mapping[str, Any] = {"solve": "solvers.gradient_descent:gradient_descent", "literal": True}
_ADAM: Mapping[str, Any] = {
    "solve": "solvers.adam:adam",
    "options": ("beta1", "beta2", "adam_epsilon"),
    "literal": True,
}


def _logistic(
    solver: str,
    cost: Callable[[Spec], Cost],
    deferred: Callable[[Spec], Cost] | None = None,
    **more: Any,
) -> Iterable[Kind]:
    """Yield a solver's kinds: both measures of the logistic model, and dynamics on other labels.

    ``deferred`` is the cost on inputs that are drawn as training needs them, for a solver that
    stays in the span of its gradients.
    """
    parts = {"parts": ("law", "loss"), "cost": cost, "on_gpu": True, **more}
    for measure, schema in (("dynamics", LOGISTIC), ("outputs", OUTPUTS)):
        kind = Kind(
            *("logistic", solver, measure), job=f"jobs.logistic:{measure}", schema=schema, **parts
        )
        yield kind
        if measure == "dynamics":
            yield replace(kind, job="jobs.threshold_labels:dynamics", labels="threshold")
        if deferred is not None:  # on the host: the inputs are drawn there
            job = f"jobs.deferred:{measure}"
            yield replace(kind, job=job, cost=deferred, on_gpu=False, data="deferred")


def _literal_steps(
    model: str,
    job: str,
    schema: pa.Schema,
    *,
    descent: Callable[[Spec], Cost],
    adam: Callable[[Spec], Cost],
) -> Iterable[Kind]:
    """Yield the kinds of a model of Paper A that take every step, given their costs."""
    for solver, cost, steps in (("gradient_descent", descent, _STEPS), ("adam", adam, _ADAM)):
        parts = {"job": job, "schema": schema, "cost": cost, "on_gpu": True, **steps}
        yield Kind(model, solver, "dynamics", **parts)


KINDS: Sequence[Kind] = (
    Kind(
        *("linear", "spectral", "dynamics"),
        job="jobs.teacher_student:one_layer",
        schema=LINEAR,
        cost=costs.linear_spectral,
        solve="solvers.spectral:spectral",
    ),
    *(
        Kind(
            *("linear", solver, "dynamics"),
            job="jobs.teacher_student:one_layer",
            schema=LINEAR,
            cost=costs.linear_spectral,
            solve=f"solvers.linear_methods:{function}",
            options=options,
        )
        for solver, function, options in (
            ("momentum", "with_momentum", ("momentum", "nesterov")),
            ("grokfast", "grokfast", ("grokfast_alpha", "grokfast_lamb")),
            ("conjugate_gradients", "conjugate_gradients", ()),
        )
    ),
    Kind(
        *("linear", "sgd", "dynamics"),
        job="jobs.teacher_student:one_layer_in_batches",
        schema=LINEAR,
        cost=costs.linear_batches,
        solve="solvers.mini_batches:sgd",
        options=("batch_size",),
        literal=True,
    ),
    Kind(
        *("linear", "bidiagonal", "grokking_times"),
        job="jobs.grokking_times:bidiagonal",
        schema=GROKKING_TIMES,
        cost=costs.bidiagonal,
    ),
    *_literal_steps(
        *("linear", "jobs.teacher_student:one_layer", LINEAR),
        descent=costs.linear_steps,
        adam=costs.linear_adam_steps,
    ),
    Kind(
        *("two_layer", "gradient_flow", "dynamics"),
        job="jobs.teacher_student:two_layers",
        schema=TWO_LAYER,
        cost=costs.two_layer_flow,
        solve="solvers.two_layer_flow:gradient_flow",
    ),
    *_literal_steps(
        *("two_layer", "jobs.teacher_student:two_layers", TWO_LAYER),
        descent=costs.two_layer_steps,
        adam=costs.two_layer_adam_steps,
    ),
    *_logistic(
        "gradient_flow",
        costs.logistic_flow,
        costs.deferred_flow,
        solve="solvers.log_flow.flow:gradient_flow",
        options=("gd_steps", "rtol"),
    ),
    *_logistic("gradient_descent", costs.logistic_steps, costs.deferred_descent, **_STEPS),
    *_logistic("adam", costs.logistic_steps, **_ADAM),
    Kind(
        *("logistic", "newton", "separability"),
        job="jobs.separability:newton",
        schema=SEPARABILITY,
        cost=costs.separability,
        parts=("law",),
        on_gpu=True,
    ),
    Kind(
        *("two_point", "exact_orbit", "dynamics"),
        job="jobs.two_point:exact_orbit",
        schema=LOGISTIC,
        cost=costs.two_point,
    ),
    Kind(
        *("modular", "adamw", "dynamics"),
        job="jobs.modular:dynamics",
        schema=LINEAR,
        cost=costs.modular_steps,
        solve="solvers.adamw:adamw",
        options=("beta1", "beta2", "adam_epsilon"),
        literal=True,
        on_gpu=True,
    ),
)
"""All kinds of runs; a new model or solver is an entry here."""


def data_of(spec: Spec) -> str:
    """Return how a run's inputs are drawn: as a matrix unless its spec says otherwise."""
    return spec.get("data", "matrix")


def kind_of(spec: Spec) -> Kind:
    """Return the kind of a run.

    Raises
    ------
    ValueError
        If the spec lacks one of the keys that tell the kind, or there is no such kind.
    """
    keys = ("model", "solver", "measure")
    for key in keys:
        if key not in spec:
            raise ValueError(f"the spec of a run needs {', '.join(keys)}; {key} is missing")
    wanted = (*(spec[key] for key in keys), spec.get("labels", "random"), data_of(spec))
    for kind in KINDS:
        if (kind.model, kind.solver, kind.measure, kind.labels, kind.data) == wanted:
            return kind
    told = "{}, {}, {}, {} labels, {} data".format(*wanted)
    raise ValueError(f"{told}: no kind of run has all of these")


def run_id(spec: Spec) -> str:
    """Return the identity of a run: hash of its canonical spec and of its code."""
    return hashed(spec, kind_of(spec).code(spec))


def solvers_of(model: str, measure: str) -> tuple[str, ...]:
    """Return the solvers of a measure of a model."""
    found = (k.solver for k in KINDS if (k.model, k.measure) == (model, measure))
    return tuple(dict.fromkeys(found))
