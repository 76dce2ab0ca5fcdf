"""Claims on the curves of one-layer linear regression: Paper A's Figs. 1 to 3."""

from collections.abc import Iterator

import numpy as np

from linear_grokking.claims.measuring import (
    extremes_of,
    geometric_mean_of,
    log_time_average,
    mean_of,
    proportion_of,
)
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, Undecidable, paper_a
from linear_grokking.figures.linear_panels import problem_of
from linear_grokking.theory import linear

KEYS = {"A1": ("lambda", "λ"), "A2": ("d_out", "d_out"), "A3": ("gamma", "γ")}
_LOSS = {"A1": "3.1.1, Eq. 8", "A2": "3.2, Eq. 13", "A3": "3.3, Eq. 15"}
_ACCURACY = {"A1": "3.1.2, Eq. 10", "A2": "3.2, Eq. 13", "A3": "3.3, Eq. 15"}
_LOSSES = {"train": ("training", linear.train_loss), "gen": ("generalization", linear.gen_loss)}
LOSS_TOLERANCE = 0.2
"""Tolerance for a loss averaged over log time; one realization scatters by tens of percent."""
ACCURACY_TOLERANCE = 0.03


@claims_of(
    "A1",
    "A2",
    "A3",
    statement="The curves of loss and accuracy agree with the large-size theory.",
    source=paper_a("Sec. 3, Figs. 1 to 3"),
)
def dynamics_follow_theory(evidence: Evidence) -> Iterator[Claim]:
    """Average ratios of losses and differences of accuracies over log t."""
    figure = evidence.figure
    key, symbol = KEYS[figure]
    # Only Fig. 1 has a closed form for one of its curves.
    closed = " (Eq. 9 for training)" if figure == "A1" else ""
    loss_source = paper_a(f"Sec. {_LOSS[figure]}{closed}, Fig. {figure[1:]}")
    for run in evidence.runs("dynamics"):
        epsilon, d_out = run.parameters["epsilon"], run.parameters["d_out"]
        needed = linear.loss_threshold(epsilon, d_out=d_out, accuracy=evidence.threshold)
        value = f"{run.parameters[key]:g}"
        slug, name = f"{key}-{value}", f"{symbol} = {value}"
        quantities = [f"{which}_{what}" for which in _LOSSES for what in ("loss", "accuracy")]
        steps, *curves = run.curves(*quantities)
        measured = dict(zip(quantities, curves, strict=True))
        for which, (word, function) in _LOSSES.items():
            losses, accuracies = measured[f"{which}_loss"], measured[f"{which}_accuracy"]
            theory = function(steps, problem_of(run.parameters), discrete=True)
            kept = theory >= 0.1 * needed
            ratio = log_time_average(steps[kept], np.log(losses[:, kept] / theory[kept]))
            yield Claim(
                f"{figure}-{which}-loss-{slug}",
                f"The {word} loss at {name} follows the large-size theory: measured over "
                f"predicted loss is 1 within {100 * LOSS_TOLERANCE:.0f} % (averaged over log t "
                f"until the prediction is a tenth of the loss of {evidence.percent} accuracy).",
                geometric_mean_of(np.exp(ratio), run).within(1.0, LOSS_TOLERANCE),
                source=loss_source,
            )
            # Far below every threshold the loss itself leaves the range of doubles.
            formula = linear.accuracy(np.maximum(theory, 1e-300), epsilon, d_out)
            difference = log_time_average(steps, accuracies - formula)
            yield Claim(
                f"{figure}-{which}-accuracy-{slug}",
                f"The {word} accuracy at {name} is P(d_out/2, d_out ε/2L), with L the large-size "
                f"{word} loss and P the regularized incomplete gamma function: averaged over "
                f"log t they differ by at most {ACCURACY_TOLERANCE}.",
                mean_of(difference, run).near(0.0, ACCURACY_TOLERANCE),
                source=paper_a(f"Sec. {_ACCURACY[figure]}, Fig. {figure[1:]}"),
            )


@claims_of(
    "A1",
    statement="Both losses decrease monotonically, and the training loss sets the rate of the "
    "generalization loss.",
    source=paper_a("Sec. 3.1.4"),
)
def falls(evidence: Evidence) -> Iterator[Claim]:
    """Look at the increments of each realization's curves, and at their integrals."""
    runs = evidence.runs("dynamics")
    rises = []
    for run in runs:
        steps, train, gen = run.curves("train_loss", "gen_loss")
        for losses in (train, gen):
            # Below the smallest normal double, ratios lose their digits.
            told = np.maximum(losses, 1e-300)
            rises.append((told[:, 1:] / told[:, :-1]).max())
    yield Claim(
        "A1-monotone",
        "Training and generalization loss decrease monotonically, whatever the accuracy's "
        "threshold: the largest ratio of a loss to that at the previous record is at most 1 in "
        "every realization.",
        extremes_of(rises, *runs).at_most(1.0 + 1e-9, 1.0),
    )
    for run in runs:
        lambda_ = run.parameters["lambda"]
        steps, train, gen = run.curves("train_loss", "gen_loss")
        # Earlier, gradient descent differs from gradient flow by a few percent.
        late = steps >= 100
        if late.sum() < 2:
            raise Undecidable("the runs end before step 100")
        lost = 4 * run.parameters["eta"] * np.trapezoid(train[:, late], steps[late], axis=-1)
        fall = gen[:, late][:, 0] - gen[:, late][:, -1]
        yield Claim(
            f"A1-fall-lambda-{lambda_:g}",
            "The generalization loss falls at a rate of 4η times the training loss: at "
            f"λ = {lambda_:g} its fall after 100 steps is the integral of that rate, within 5 % "
            "(measured: their ratio; tolerance ours).",
            mean_of(fall / lost, run).within(1.0, 0.05),
            source=paper_a("App. B, Eq. 21"),
        )


@claims_of(
    "A1",
    statement="The accuracy over fresh samples agrees with the exact generalization loss.",
    source=paper_a("Sec. 3 (after Eq. 3) and Eq. 10"),
)
def sampled(evidence: Evidence) -> Iterator[Claim]:
    """Compare sampled accuracies with the formula at each realization's own ‖D‖²."""
    for run in evidence.runs("dynamics"):
        lambda_, epsilon = run.parameters["lambda"], run.parameters["epsilon"]
        steps, losses, accuracies = run.curves("gen_loss", "gen_accuracy")
        exact = linear.accuracy(np.maximum(losses, 1e-300), epsilon, run.parameters["d_out"])
        yield Claim(
            f"A1-sampled-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} the generalization accuracy over fresh samples is erf √(ε/2L), "
            "with L = ‖D‖² the realization's own generalization loss: averaged over log t they "
            "differ by at most 0.003 (tolerance ours).",
            mean_of(log_time_average(steps, accuracies - exact), run).near(0.0, 0.003),
        )


@claims_of(
    "A1",
    statement="For λ > 1 the generalization loss stops at the share of the directions that no "
    "sample has, and nothing generalizes.",
    source=paper_a("Sec. 3.1.1 (λ > 1, d_out = 1)"),
)
def floor_above_one(evidence: Evidence) -> Iterator[Claim]:
    """Look at how each run with λ > 1 ends."""
    for run in evidence.runs("dynamics", keep=lambda p: p["lambda"] > 1):
        lambda_ = run.parameters["lambda"]
        floor = (1 - 1 / lambda_) / run.parameters["d_out"]
        yield Claim(
            f"A1-floor-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} the generalization loss ends at (1-1/λ)/d_out, within 10 %.",
            geometric_mean_of(run.scalars["final_gen_loss"], run).within(floor, 0.1),
            source=paper_a("Sec. 3.1.1 (constant 1-1/λ, d_out = 1)"),
        )
        yield Claim(
            f"A1-never-lambda-{lambda_:g}",
            f"At λ = {lambda_:g}, d_out = 1, no realization generalizes: the fraction that "
            f"reaches {evidence.percent} generalization accuracy is at most 0.4.",
            proportion_of(np.isfinite(run.scalars["t_gen"]), run).at_most(0.4, 0.0),
        )
