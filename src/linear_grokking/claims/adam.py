"""Claims on Adam: Paper B's Figs. 5 and 10."""

from collections.abc import Iterator

import numpy as np

from linear_grokking.claims.draws import draws_of
from linear_grokking.claims.measuring import at_times, extremes_of, geometric_mean_of, mean_of
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, Measurement, Undecidable, paper_b
from linear_grokking.results.crossings import first_crossing
from linear_grokking.results.reading import RunResult


@claims_of(
    "B5",
    statement="With Adam the generalization accuracy first stays at chance while training goes on.",
    source=paper_b("App. B and Fig. 5; factor 3 ours"),
)
def plateau(evidence: Evidence) -> Iterator[Claim]:
    """Compare the steps at which the two accuracies reach 60 %."""
    for run in evidence.runs("dynamics"):
        steps, *accuracies = run.curves("train_accuracy", "gen_accuracy")
        train, gen = (first_crossing(steps, each, 0.6) for each in accuracies)
        measured = Measurement.unknown(len(gen), run)
        if np.isfinite([train, gen]).all():
            measured = geometric_mean_of(gen / np.maximum(train, 1.0), run)
        yield Claim(
            "B5-plateau",
            "With Adam the generalization accuracy stays at chance after the training accuracy has "
            "left it: it takes at least 3 times as many steps as the training accuracy to reach "
            "60 %.",
            measured.at_least(3.0),
        )
        yield Claim(
            "B5-while-training",
            "With Adam the generalization accuracy is still near chance when the training accuracy "
            f"reaches {evidence.percent}: at most 0.6 in every draw.",
            extremes_of(_accuracy_at_training(run), run).at_most(0.6, 0.5),
            source=paper_b("App. B; bound ours"),
        )


@claims_of(
    "B9",
    statement="With gradient descent the generalization accuracy rises from the start.",
    source=paper_b("App. B; bound ours"),
)
def no_plateau_without(evidence: Evidence) -> Iterator[Claim]:
    """Take the generalization accuracy when training is done, at the σ of Fig. 5."""
    for run in evidence.runs("dynamics", keep=lambda p: p["sigma"] == 1 and p["lambda"] < 0.5):
        yield Claim(
            "B9-while-training",
            "With gradient descent at σ = 1, the σ of Fig. 5 with Adam, the generalization "
            "accuracy is at least 0.8 in every draw when the training accuracy reaches "
            f"{evidence.percent}.",
            extremes_of(_accuracy_at_training(run), run).at_least(0.8),
        )


def _accuracy_at_training(run: RunResult) -> np.ndarray:
    """Return A_gen of each draw when its training accuracy first reaches the threshold, (R,)."""
    times = run.scalars["t_train"].to_numpy()
    if not np.isfinite(times).all():
        raise Undecidable("the training accuracy does not reach its threshold in all draws")
    return at_times(run, "gen_accuracy", times)


@claims_of(
    "B5",
    "B10",
    statement="Adam's first step moves ‖S‖ by √d times as much as b.",
    source=paper_b('App. F.2 (given as a "probable" reason)'),
)
def first_step(evidence: Evidence) -> Iterator[Claim]:
    """Take ‖S‖/|b| after one step, at each λ: every coordinate moves by the learning rate."""
    for run in evidence.runs("dynamics" if evidence.figure == "B5" else "adam"):
        lambda_, n_train = run.parameters["lambda"], run.parameters["n_train"]
        steps, norm, bias = run.curves("weight_norm", "bias")
        if steps[1] != 1:
            raise Undecidable("the first step is not recorded")
        yield Claim(
            f"{evidence.figure}-first-step-lambda-{lambda_:g}",
            f"At λ = {lambda_:g}, N = {n_train}, ‖S‖/|b| after Adam's first step is √d, within "
            "10 % (the initial S₀ included).",
            geometric_mean_of(norm[:, 1] / np.abs(bias[:, 1]), run).within(
                np.sqrt(lambda_ * n_train), 0.1
            ),
        )


@claims_of(
    "B10",
    statement="Below λ = ½ Adam ends at perfect accuracy on sets that are not separable.",
    source=paper_b("App. F.2"),
)
def adam_perfect(evidence: Evidence) -> Iterator[Claim]:
    """Average the final accuracy of sets that are not separable, at each λ."""
    query = "lambda_ < 0.5 and not separable"
    for run, draws in draws_of(evidence, "adam", "separability", query):
        lambda_ = run.parameters["lambda"]
        yield Claim(
            f"B10-adam-perfect-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} Adam ends at perfect generalization on sets that are not "
            "separable: the final generalization accuracy is 1 within 0.02.",
            mean_of(draws["final_gen_accuracy"], run).near(1.0, 0.02),
        )


@claims_of(
    "B10",
    statement="On separable sets Adam's accuracy ends neither at the max-margin value nor at 1.",
    source=paper_b("App. F.2"),
)
def adam_margin(evidence: Evidence) -> Iterator[Claim]:
    """Compare the final accuracy of separable sets with both values, at each λ."""
    query = "lambda_ > 0.5 and separable"
    for run, draws in draws_of(evidence, "adam", "separability", query):
        lambda_, final = run.parameters["lambda"], draws["final_gen_accuracy"]
        yield Claim(
            f"B10-adam-margin-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} Adam does not end at the max-margin solution: on separable sets "
            "of margin M its final generalization accuracy differs from Φ(1/(σM)) by at least "
            "0.02.",
            mean_of(np.abs(final - draws["limit"]), run).at_least(0.02),
        )
        yield Claim(
            f"B10-adam-imperfect-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} Adam does not end at perfect generalization on separable sets: "
            "its final generalization accuracy is at most 0.999.",
            mean_of(final, run).at_most(0.999),
        )
