"""Claims on when logistic classification generalizes, and on what its loss does meanwhile."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from linear_grokking.claims.draws import by_sigma
from linear_grokking.claims.measuring import (
    extremes_of,
    furthest,
    geometric_mean_of,
    mean_of,
    median_of,
    of_shared_draws,
    proportion_of,
)
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.separability import (
    CRITICAL,
    exponent_at_half,
    inputs_of,
    of_symmetric_law,
)
from linear_grokking.claims.verdict import Claim, Undecidable, ours, paper_b
from linear_grokking.figures.separability_panels import LARGEST_BELOW
from linear_grokking.results.reading import RunResult
from linear_grokking.theory import large_size


def _log_time(evidence: Evidence, lambda_: Any, eta: float = 1.0) -> Any:
    """Return log t at which the accuracy reaches its threshold, for large size."""
    return large_size.log_time_to_accuracy(lambda_, eta, evidence.threshold)


@claims_of(
    "B1",
    statement="The median time to generalization follows the large-size curve from λ = 0.3 on.",
    source=ours("large-size limit"),
)
def t95(evidence: Evidence) -> Iterator[Claim]:
    """Fit the curve's exponent at ½, and compare the medians with the curve."""
    yield Claim(
        "B1-t95-divergence",
        f"For large N and settled S, the logarithm of the time to {evidence.percent} accuracy "
        "diverges as (1-2λ)^(-½): the exponent of the large-size curve for 1-2λ from 2e-4 to 2e-3 "
        "is ½, within 10 %.",
        exponent_at_half(lambda lambda_: _log_time(evidence, lambda_)).within(0.5, 0.1),
    )
    runs = evidence.runs("final_dynamics", keep=lambda p: 0.3 <= p["lambda"] < 0.46)
    yield Claim(
        "B1-t95-curve",
        f"From λ = 0.3 to 0.46 the median time t to {evidence.percent} accuracy at N = "
        f"{runs[0].parameters['n_train']} follows the large-size curve: log t within 10 % "
        "(measured: the ratio furthest from 1).",
        furthest(
            median_of(np.log(run.scalars["t_gen"]), run)
            / _log_time(evidence, run.parameters["lambda"], run.parameters["eta"])
            for run in runs
        ).within(1.0, 0.1),
    )


@claims_of(
    "B17",
    statement="The median time to generalization approaches the large-size curve as N grows.",
    source=ours("large-size limit"),
)
def t95_of_largest(evidence: Evidence) -> Iterator[Claim]:
    """Compare the median with the curve at the smallest λ and the largest N."""
    runs = evidence.runs("dynamics", keep=lambda p: p["lambda"] <= LARGEST_BELOW)
    run = min(runs, key=lambda run: (run.parameters["lambda"], -run.parameters["n_train"]))
    lambda_, n_train, eta = (run.parameters[key] for key in ("lambda", "n_train", "eta"))
    predicted = _log_time(evidence, lambda_, eta)
    yield Claim(
        "B17-t95",
        f"At λ = {lambda_:g} and the largest N = {n_train} the median of log t, t the time to "
        f"{evidence.percent} accuracy, is the large-size value, within 5 %.",
        median_of(np.log(run.scalars["t_gen"]), run).within(predicted, 0.05),
    )


@claims_of(
    "B1",
    statement="Just below λ = ½ generalization lags training by decades in t.",
    source=paper_b("Fig. 1 (delay); three decades ours"),
)
def delay(evidence: Evidence) -> Iterator[Claim]:
    """Take the delay at the λ nearest to ½."""
    runs = evidence.runs("dynamics", keep=lambda p: p["lambda"] < CRITICAL)
    run = max(runs, key=lambda run: run.parameters["lambda"])
    lag = np.log10(run.scalars[["t_train", "t_gen"]]).diff(axis=1)["t_gen"].to_numpy()
    # Some draws may never generalize; the median is defined all the same.
    measured = mean_of(lag, run) if np.isfinite(lag).all() else median_of(lag, run)
    lambda_ = run.parameters["lambda"]
    yield Claim(
        f"B1-delay-lambda-{lambda_:g}",
        f"Just below the transition (λ = {lambda_:g}) generalization lags training by at "
        "least three decades in t (measured: log₁₀ of the ratio of the times to "
        f"{evidence.percent} accuracy).",
        measured.at_least(3.0),
    )


@claims_of(
    "B13",
    statement="Training with the exponential loss groks, too.",
    source=paper_b("App. F.4; factors ours"),
)
def exponential_loss_groks(evidence: Evidence) -> Iterator[Claim]:
    """Take the ratio of the two times below ½, and the rise of the loss."""
    runs = evidence.runs("dynamics", keep=lambda p: p["lambda"] < CRITICAL)
    for run in runs:
        lambda_ = run.parameters["lambda"]
        yield Claim(
            f"B13-delay-lambda-{lambda_:g}",
            f"With the exponential loss at λ = {lambda_:g} generalization takes at least 10 times "
            f"as long as training (measured: the ratio of the times to {evidence.percent} "
            "accuracy).",
            geometric_mean_of(run.scalars["t_gen"] / run.scalars["t_train"], run).at_least(10.0),
        )
    nearest = max(runs, key=lambda run: run.parameters["lambda"])
    yield Claim(
        "B13-rising-loss",
        f"With the exponential loss at λ = {nearest.parameters['lambda']:g} the generalization "
        "loss rises by a factor of at least 100 before it falls (measured: its largest value over "
        "its first).",
        geometric_mean_of(_rise(nearest), nearest).at_least(100.0),
    )


@claims_of(
    "B15",
    statement="Other symmetric laws of the inputs show the same delay below λ = ½.",
    source=paper_b("v2 App. G; factor 2 ours"),
)
def delay_of_other_laws(evidence: Evidence) -> Iterator[Claim]:
    """Count the draws whose generalization takes more than twice as long as their training."""
    runs = evidence.runs("dynamics", keep=lambda p: p["lambda"] < CRITICAL and of_symmetric_law(p))
    for run in runs:
        lambda_, law = run.parameters["lambda"], run.parameters["law"]
        train, gen = run.scalars["t_train"], run.scalars["t_gen"]
        later = np.isfinite(gen) & (gen > 2 * train)
        yield Claim(
            f"B15-delay-{law}-lambda-{lambda_:g}",
            f"{inputs_of(law)} at λ = {lambda_:g} grok too: generalization takes more "
            "than twice as long as training in at least 40 % of draws.",
            proportion_of(later, run).at_least(0.4, 1.0),
        )


def _rise(run: RunResult) -> np.ndarray:
    """Return the ratio of the largest generalization loss to the first one, (R,)."""
    _, loss = run.curves("gen_loss")
    return loss.max(axis=1) / loss[:, 0]


_NON_MONOTONIC = paper_b("Sec. 3.1 and v2 abstract; factors ours")


@claims_of(
    "B1", statement="Near λ = ½ the generalization loss is not monotonic.", source=_NON_MONOTONIC
)
def rising_loss(evidence: Evidence) -> Iterator[Claim]:
    """Compare the largest loss with the first one, at each λ below ½."""
    for run in evidence.runs("dynamics", keep=lambda p: p["lambda"] < CRITICAL):
        lambda_ = run.parameters["lambda"]
        yield Claim(
            f"B1-rising-loss-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} the generalization loss rises by at least a tenth of its first "
            "value before it falls (measured: its largest value over its first).",
            geometric_mean_of(_rise(run), run).at_least(1.1),
        )


@claims_of(
    "B9",
    statement="The generalization loss is not monotonic for large σ only.",
    source=_NON_MONOTONIC,
)
def rising_loss_by_sigma(evidence: Evidence) -> Iterator[Claim]:
    """Compare the largest loss with the first one at the smallest and the largest σ."""
    smallest, *_, largest = by_sigma(evidence)
    yield Claim(
        "B9-rising-loss-large",
        f"At σ = {largest.parameters['sigma']:g}, λ = {largest.parameters['lambda']:g} the "
        "generalization loss rises by at least a tenth of its first value before it falls "
        "(measured: its largest value over its first).",
        geometric_mean_of(_rise(largest), largest).at_least(1.1),
    )
    yield Claim(
        "B9-rising-loss-small",
        f"At σ = {smallest.parameters['sigma']:g}, λ = {smallest.parameters['lambda']:g} the "
        "generalization loss never rises above its first value by more than 0.1 % (measured: its "
        "largest value over its first; mean, smallest and largest ratio).",
        extremes_of(_rise(smallest), smallest).at_most(1.001, 1.0),
    )


@claims_of(
    "B11",
    "B12",
    statement="Initial conditions change how far the generalization loss rises, and the time to "
    "generalization.",
    source=paper_b("App. F.3; factors ours"),
)
def initial_conditions(evidence: Evidence) -> Iterator[Claim]:
    """Compare the rise of the loss, and the times, between the two ends of the axis."""
    key, letter = {"B11": ("s0_norm", "‖S₀‖"), "B12": ("b0", "b₀")}[evidence.figure]
    runs = sorted(evidence.runs("dynamics"), key=lambda run: run.parameters[key])
    if len(runs) < 2:
        raise Undecidable(f"all runs have the same {key}")
    first, last = runs[0], runs[-1]
    low, high = (run.parameters[key] for run in (first, last))
    common = min(first.realizations, last.realizations)
    ratio = _rise(first)[:common] / _rise(last)[:common]
    yield Claim(
        f"{evidence.figure}-rising-loss",
        "How far the generalization loss rises depends on the start: from "
        f"{letter} = {low:g} its largest value over its first is at least 1.2 times that from "
        f"{letter} = {high:g}, on the same sets.",
        geometric_mean_of(ratio, first, last).at_least(1.2),
    )
    if evidence.figure == "B11":
        early, late = of_shared_draws([first, last], "t_gen")
        if not np.isfinite([early, late]).all():
            raise Undecidable(f"{evidence.percent} accuracy is not reached in all draws")
        yield Claim(
            "B11-later",
            f"A large ‖S₀‖ delays generalization as a large σ does: {evidence.percent} accuracy is "
            f"reached at least twice as late from ‖S₀‖ = {high:g} as from ‖S₀‖ = {low:g}, on the "
            f"same sets (λ = {first.parameters['lambda']:g}, "
            f"σ = {first.parameters['sigma']:g}).",
            geometric_mean_of(late / early, first, last).at_least(2.0),
        )
