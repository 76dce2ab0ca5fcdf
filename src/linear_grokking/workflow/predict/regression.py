"""Predictions for one-layer regression and for two-layer nets (Paper A)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from linear_grokking.jobs import expected
from linear_grokking.results.crossings import grokking_delay
from linear_grokking.theory import (
    linear,
    linear_late_time,
    linear_optimizers,
    linear_weight_decay,
    mini_batches,
    structured_inputs,
    two_layer,
)
from linear_grokking.theory.structured_inputs import StructuredProblem
from linear_grokking.workflow.predict.curves import losses
from linear_grokking.workflow.predict.quantities import Needs, Rows
from linear_grokking.workflow.predict.times import (
    DESCENTS,
    MANY_MODES,
    SMALL_DEVIATION,
    Prediction,
    gaps,
    predicted_times,
    problem_of,
    scatter_of,
)

_FLOW = "Paper A, Sec. 3, with weight decay, noise and outputs of docs/theory.md, Discrete steps"
_FLOW_HOLDS = "any lambda, large d_in, d_out << d_in; small lr (gradient flow)"


def add_one_layer(rows: Rows, spec: Mapping[str, Any], accuracy: float) -> None:
    """Add the predictions for linear regression by any method."""
    if spec["solver"] not in DESCENTS:
        _add_other_method(rows, spec, accuracy)
        return
    problem = problem_of(spec)
    if isinstance(problem, StructuredProblem):
        _add_structured(rows, spec, problem, accuracy)
    else:
        _add_descent(rows, spec, problem, accuracy)


def add_two_layers(rows: Rows, spec: Mapping[str, Any], accuracy: float) -> None:
    """Add the predictions of the lazy approximation for two layers."""
    problem = problem_of(spec)
    where: dict[str, Any] = {
        "source": "Paper A, Sec. 4.1 and Eq. 19, lazy approximation",
        "holds": "d_in >> d_h >> d_out, no weight decay; the generalization loss within about "
        "10 %, the training loss within 30 %",
    }
    notes = []
    if spec["gamma"] > 0:
        notes.append("neglects the weight decay")
    if not spec["d_in"] > spec["d_h"] > spec["d_out"]:
        notes.append("outside: needs d_in > d_h > d_out")
    if spec["activation"] != "identity":
        notes.append(
            f"computed for the linear net; {spec['activation']} agrees within a few percent"
        )
    lacking = gaps(spec, accuracy)
    _add_times(rows, predicted_times(spec, accuracy), accuracy, "; ".join(notes), lacking, **where)
    _add_losses(rows, spec, lacking, **where)
    initial = two_layer.initial_gen_loss(problem)
    rows.add("initial_gen_loss", "generalization loss at step 0", initial, **where)


def _add_times(
    rows: Rows,
    found: Prediction,
    accuracy: float,
    note: str,
    needs: Needs,
    **where: Any,
) -> None:
    """Add t_train, t_gen and their difference."""
    train, gen = found.train_time, found.gen_time
    delay = None if train is None or gen is None else float(grokking_delay(train, gen))
    level = f"{100 * accuracy:g} %"
    for name, title, time in (
        ("t_train", f"training accuracy reaches {level} at", train),
        ("t_gen", f"generalization accuracy reaches {level} at", gen),
        ("delay", "grokking time, their difference", delay),
    ):
        word = found.source if time is None else note
        rows.add(name, title, time, unit="steps", needs=needs, note=word, **where)


def _add_losses(rows: Rows, spec: Mapping[str, Any], needs: Needs, **where: Any) -> None:
    """Add losses and accuracies at the last step."""
    last = np.array([spec["t_max"]])
    met = all(needs.values())
    train, gen = (each[0] for each in losses(spec, last)) if met else (np.nan, np.nan)
    at, per = f"at step {spec['t_max']:g}", (spec["epsilon"], spec["d_out"])
    for name, title, loss in (("train", "training", train), ("gen", "generalization", gen)):
        rows.add(f"{name}_loss", f"{title} loss {at}", loss, needs=needs, **where)
        share = linear.accuracy(loss, *per) if met else None
        rows.add(f"{name}_accuracy", f"{title} accuracy {at}", share, needs=needs, **where)


def _add_descent(
    rows: Rows, spec: Mapping[str, Any], problem: linear.Problem, accuracy: float
) -> None:
    found, lacking = predicted_times(spec, accuracy), gaps(spec, accuracy)
    flow: dict[str, Any] = {"source": _FLOW, "holds": _FLOW_HOLDS}
    limit = linear.alternation_rate(problem)
    steady = bool(problem.eta < limit)
    notes = [] if steady else ["outside: lr is so large that modes change sign"]
    if spec["d_out"] >= spec["d_in"]:
        notes.append("outside: at least as many outputs as inputs")
    note = "; ".join(notes)
    _add_times(rows, found, accuracy, note, lacking, **flow)
    _add_losses(
        rows,
        spec,
        {f"eta below {limit:.6g}": steady},
        source="Paper A, Sec. 3; docs/theory.md, Discrete steps",
        holds="any lambda, large d_in, d_out << d_in; steps that change no mode's sign",
    )
    _add_limits(
        rows,
        spec,
        linear,
        problem,
        lacking,
        source=_limits(spec),
        holds="any lambda, large d_in; steps that converge",
    )
    deviation, needs = scatter_of(problem, spec, accuracy)
    rows.add(
        "t_gen_deviation",
        f"deviation of t_gen over draws, d_in = {spec['d_in']}",
        deviation,
        unit="steps",
        needs=lacking or needs,
        note=note,
        source="ours (docs/theory.md, The scatter of one draw)",
        holds=f"{MANY_MODES}; {SMALL_DEVIATION}",
    )
    rows.add(
        "max_weight_decay",
        "weight decay above which it never generalizes",
        lambda: linear_weight_decay.max_weight_decay(problem, spec["epsilon"], accuracy=accuracy),
        needs=lacking | {"noise 0": spec["noise"] == 0},
        source="Paper A, Fig. 3; docs/theory.md, Weight decay: floors, and the delay between them",
        holds="any lambda, no label noise",
    )
    _add_approximations(rows, spec, problem, accuracy, found.train_time, lacking)


def _limits(spec: Mapping[str, Any]) -> str:
    if spec["gamma"] > 0:
        return (
            "Paper A, Eqs. 15 and 16; docs/theory.md, "
            "Weight decay: floors, and the delay between them"
        )
    return "ours (docs/theory.md, Label noise)" if spec["noise"] > 0 else "Paper A, Sec. 3"


def _add_limits(
    rows: Rows,
    spec: Mapping[str, Any],
    of: Any,
    problem: linear.Problem,
    needs: Needs,
    **where: Any,
) -> None:
    """Add losses and accuracies at the end of training."""
    for name, title, floor in (
        ("train", "training", of.train_loss_floor),
        ("gen", "generalization", of.gen_loss_floor),
    ):
        loss = np.nan if needs else float(floor(problem))
        share = linear.accuracy(loss, spec["epsilon"], spec["d_out"]) if loss < np.inf else 0.0
        title = f"final {title} {{}}"
        rows.add(f"{name}_loss_limit", title.format("loss"), loss, needs=needs, **where)
        rows.add(f"{name}_accuracy_limit", title.format("accuracy"), share, needs=needs, **where)


def _add_approximations(
    rows: Rows,
    spec: Mapping[str, Any],
    problem: linear.Problem,
    accuracy: float,
    trained: float | None,
    lacking: dict[str, bool],
) -> None:
    """Add the paper's closed-form approximations of the grokking time."""
    at = {"accuracy": accuracy}
    below = lacking | {"lambda below 1": spec["lambda"] < 1}
    values = {key: expected.PLAIN[key] for key in ("gamma", "alpha", "noise")}
    plain = below | {f"{key} {value}": spec[key] == value for key, value in values.items()}
    # Eq. 22 is too large by a share of 3/(64 late), and Eqs. 23 to 25 follow from it.
    late = spec["eta"] * (trained or 0.0) * np.sqrt(spec["lambda"]) / spec["d_out"]
    need = "lr t_train sqrt(lambda)/d_out of 0.5 or more"
    plain_and_late = plain | {need: bool(late >= 0.5)}
    epsilon = spec["epsilon"]
    holds = "lambda < 1, no weight decay, alpha 1, no noise"
    for name, title, value, needs, source, exact in (
        (
            "delay_late_time",
            "grokking time from the late losses",
            lambda: linear_late_time.late_time_delay(problem, epsilon, **at),
            plain_and_late,
            "Paper A, Eqs. 23 and 24; docs/theory.md, Late times",
            f", {need}: within 6 %, and 2 % from 0.8 on",
        ),
        (
            "delay_lambert",
            "grokking time by Lambert's function",
            lambda: -np.subtract(*linear_late_time.lambert_times(problem, epsilon, **at)),
            plain_and_late,
            "Paper A, Eqs. 24 and 25",
            f", {need}; for small epsilon",
        ),
        (
            "delay_small_epsilon",
            "grokking time for epsilon to 0",
            lambda: linear_late_time.small_epsilon_delay(problem),
            plain,
            "Paper A, Eq. 12",
            "; the limit is approached slowly: at lambda 0.9 and epsilon 1e-6 the time is 0.76 of "
            "the limit",
        ),
    ):
        rows.add(name, title, value, unit="steps", needs=needs, source=source, holds=holds + exact)
    small = 0.01 * (1.0 - np.sqrt(spec["lambda"])) ** 2
    rows.add(
        "delay_of_saturation",
        "time between the losses' saturation",
        lambda: linear_weight_decay.saturation_delay(problem),
        unit="steps",
        needs=below
        | {
            "gamma above 0": spec["gamma"] > 0,
            "noise 0": spec["noise"] == 0,
            f"gamma up to 0.01 (1 - sqrt(lambda))^2 = {small:.3g}": bool(spec["gamma"] <= small),
        },
        source="Paper A, Eq. 16",
        holds="lambda < 1, 0 < gamma << (1 - sqrt(lambda))^2, no noise; within 15 % up to 0.01 of "
        "that, from lambda 0.3 on, for alpha up to 1",
    )


def _add_structured(
    rows: Rows, spec: Mapping[str, Any], problem: StructuredProblem, accuracy: float
) -> None:
    where: dict[str, Any] = {
        "source": "ours (docs/theory.md, Inputs with a covariance)",
        "holds": "power-law inputs, any lambda, large d_in, no noise; small lr (gradient flow)",
    }
    lacking = gaps(spec, accuracy)
    _add_times(rows, predicted_times(spec, accuracy), accuracy, "", lacking, **where)
    _add_losses(rows, spec, lacking, **where)
    _add_limits(rows, spec, structured_inputs, problem, lacking, **where)


def _add_other_method(rows: Rows, spec: Mapping[str, Any], accuracy: float) -> None:
    """Add times, losses and, except for mini-batches, the bound on all methods of this kind."""
    needs = gaps(spec, accuracy)
    section, holds = "Other optimizers", "lambda < 1, d_out 1, alpha 1, no weight decay, no noise"
    if spec["solver"] == "sgd":
        section, holds = "Mini-batches", f"{holds}; means over batches"
    where: dict[str, Any] = {
        "source": f"ours (docs/theory.md, {section})",
        "holds": f"{holds}, large d_in; steps short enough to converge",
    }
    _add_times(rows, predicted_times(spec, accuracy), accuracy, "", needs, **where)
    most = expected.most_steps(spec["solver"])
    in_reach = needs | {f"t_max up to {most}": spec["t_max"] <= most}
    _add_losses(rows, spec, in_reach, **where)
    if spec["solver"] == "sgd":
        sizes = spec["lambda"], spec["eta"], spec["d_in"], spec["batch_size"]
        rows.add(
            "instability",
            "noise gain (mean losses grow if above 1)",
            lambda: mini_batches.instability(*sizes),
            needs=needs,
            **where,
        )
        return
    threshold = float(linear.loss_threshold(spec["epsilon"], accuracy=accuracy))
    rows.add(
        "least_t_gen",
        "least t_gen of any method of this kind",
        lambda: linear_optimizers.least_gen_time(threshold, spec["lambda"]),
        unit="steps",
        needs=needs
        | {"an epsilon small enough that the accuracy is not reached at step 0": threshold < 1},
        source="ours (docs/theory.md, Other optimizers)",
        holds="lambda < 1, large d_in; momentum, averages of gradients, conjugate gradients",
    )
