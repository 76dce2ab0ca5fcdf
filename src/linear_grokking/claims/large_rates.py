"""Claims on large learning rates in classification: Fig. B20."""

from collections.abc import Iterator

import numpy as np

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
from linear_grokking.claims.verdict import Claim, Disagreement, Measurement, Undecidable, ours
from linear_grokking.figures.b20 import (
    against_flow,
    error_free_accuracies,
    is_thrown_out,
    rate_ratio,
)
from linear_grokking.results.reading import RunResult, by_value
from linear_grokking.results.statistics import wilson_interval

_STEPS = ours("η_c from the curvature where training begins, docs/theory.md")
_CONVERGES = ours("Wu et al., arXiv 2305.11788: separable sets converge at every rate")
_FLAT, _SLOW, _PERCEPTRON = 2.6, 8.0, 50.0
"""Values of η/η_c.  Up to the first, times do not change; from the second on they are long;
beyond the third, single steps take S and b so far that the cross-entropy's slope is 0 or 1."""
_SMALL_RATE = 0.5
"""Largest η_c at which the steps of b count as small; the first one is η/2."""


def _by(runs: list[RunResult], key: str) -> list[tuple[float, list[RunResult]]]:
    """Return the runs at each value of a parameter, in ascending order of η/η_c."""
    return sorted(by_value(sorted(runs, key=rate_ratio), key).items())


@claims_of(
    "B20", statement="Up to 2.5 η_c the learning rate only sets the unit of time.", source=_STEPS
)
def flat(evidence: Evidence) -> Iterator[Claim]:
    """Compare ηt at the threshold with the flow's on the same sets, at each λ and σ."""
    for run in evidence.runs("rates", "small_sigma", "large_sigma"):
        ratio = rate_ratio(run)
        if not 1.5 < ratio < _FLAT:
            continue
        lambda_, sigma, eta = (run.parameters[key] for key in ("lambda", "sigma", "eta"))
        critical = eta / ratio
        times = against_flow(run, evidence.runs("flow", "flow_sigma"))
        yield Claim(
            f"B20-flat-lambda-{lambda_:g}-sigma-{sigma:g}-eta-{eta:g}",
            f"At λ = {lambda_:g}, σ = {sigma:g} and η = {ratio:.2g} η_c, ηt at {evidence.percent} "
            "accuracy is that of gradient flow: median ratio 1 within 15 %, over the sets that the "
            "flow brings there within half of the run's ηt.",
            median_of(times, run).within(1.0, 0.15),
            note="The prediction assumes small steps of b, of which the first is η/2; here η_c "
            f"itself is {critical:.2g}."
            if critical > _SMALL_RATE
            else "",
            otherwise=Disagreement.RANGE if critical > _SMALL_RATE else None,
        )


@claims_of("B20", statement="Generalization takes the fewest steps at 3 to 6 η_c.", source=_STEPS)
def optimum(evidence: Evidence) -> Iterator[Claim]:
    """Find the learning rate with the fewest steps for each set, at each λ."""
    for lambda_, runs in _by(evidence.runs("rates"), "lambda"):
        steps = of_shared_draws(runs, "t_gen")
        reached = np.isfinite(steps).any(axis=0)
        ratios = np.array([rate_ratio(run) for run in runs])
        if not reached.any():
            raise Undecidable(f"no set reaches {evidence.percent} accuracy at λ = {lambda_:g}")
        best = ratios[np.argmin(steps[:, reached], axis=0)]
        yield Claim(
            f"B20-optimum-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} a set takes the fewest steps to {evidence.percent} accuracy at "
            "a learning rate of 3 to 6 η_c (measured: median over sets of the best η/η_c, of "
            f"{', '.join(f'{ratio:.2g}' for ratio in ratios)}).",
            median_of(best, *runs).between(3.0, 6.0),
        )


@claims_of("B20", statement="Beyond 8 η_c generalization is late, or never comes.", source=_STEPS)
def late(evidence: Evidence) -> Iterator[Claim]:
    """Compare ηt beyond 8 η_c with the flow's, and count what perceptron-like steps reach."""
    for lambda_, runs in _by(evidence.runs("rates", keep=lambda p: p["lambda"] >= 0.35), "lambda"):
        for run in runs:
            ratio = rate_ratio(run)
            if not _SLOW < ratio < 2 * _SLOW:
                continue
            times = against_flow(run, evidence.runs("flow"))
            yield Claim(
                f"B20-late-lambda-{lambda_:g}",
                f"At λ = {lambda_:g} and η = {ratio:.2g} η_c, ηt at {evidence.percent} accuracy is "
                "at least three times that of gradient flow (measured: the median ratio, over the "
                "sets that the flow brings there within half of the run's ηt).",
                median_of(times, run).at_least(3.0),
            )
        for run in (run for run in runs if rate_ratio(run) > _PERCEPTRON):
            where = f"At λ = {lambda_:g} and η = {rate_ratio(run):.2g} η_c"
            fitted = run.scalars["final_train_accuracy"].to_numpy(float) == 1.0
            reached = np.isfinite(run.scalars["t_gen"].to_numpy(float))
            yield Claim(
                f"B20-fitted-lambda-{lambda_:g}",
                f"{where}, training ends without a training error on nearly every set: on at least "
                "80 %.",
                proportion_of(fitted, run).at_least(0.8),
            )
            yield Claim(
                f"B20-frozen-lambda-{lambda_:g}",
                f"{where}, few sets reach {evidence.percent} generalization accuracy in "
                f"{run.parameters['t_max']:g} steps, long after they are fitted: at most 25 %.",
                proportion_of(reached, run).at_most(0.25),
            )


@claims_of(
    "B20",
    statement="At large learning rates gradient descent is the batch perceptron.",
    source=_CONVERGES,
)
def perceptron(evidence: Evidence) -> Iterator[Claim]:
    """Compare accuracies at the first step without an error with the perceptron's, at each λ."""
    limits = {run.parameters["lambda"]: run for run in evidence.runs("perceptron")}
    for lambda_, runs in _by(evidence.runs("rates"), "lambda"):
        if lambda_ not in limits:
            continue
        limit = error_free_accuracies(limits[lambda_])
        largest = runs[-1]
        if rate_ratio(largest) > _PERCEPTRON:
            gap = _known(error_free_accuracies(largest) - limit)
            yield Claim(
                f"B20-perceptron-lambda-{lambda_:g}",
                f"At λ = {lambda_:g} and η = {rate_ratio(largest):.2g} η_c the generalization "
                "accuracy at the first step without a training error is that of the batch "
                "perceptron: mean difference 0 within 0.02.",
                mean_of(gap, largest, limits[lambda_]).near(0.0, 0.02),
            )
        final = limits[lambda_].scalars["final_gen_accuracy"].to_numpy(float)
        yield Claim(
            f"B20-stops-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} the batch perceptron stops at its first step without a training "
            "error: the final generalization accuracy is the one there, to within rounding "
            "(measured: mean, smallest and largest difference).",
            extremes_of(_known(final - limit), limits[lambda_]).near(0.0, 1e-12),
        )
        gain = _known(limit - error_free_accuracies(runs[0]))
        yield Claim(
            f"B20-fit-generalizes-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} the batch perceptron generalizes better at its first step without "
            f"a training error than gradient descent with η = {rate_ratio(runs[0]):.2g} η_c at its "
            "own: mean difference of the accuracies at least 0.02.",
            mean_of(gain, runs[0], limits[lambda_]).at_least(0.02),
        )


def _known(values: np.ndarray) -> np.ndarray:
    """Return the values of the sets that reach a step without an error.

    Raises
    ------
    Undecidable
        If no set does.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        raise Undecidable("no set is fitted without a training error")
    return known


@claims_of(
    "B20",
    statement="At late times the training loss depends on the learning rate only through ηt.",
    source=_CONVERGES,
)
def late_loss(evidence: Evidence) -> Iterator[Claim]:
    """Compare the final training loss, to which the sharpness is proportional, with 1/(ηt)."""
    for lambda_, runs in _by(evidence.runs("rates"), "lambda"):
        chosen = [run for run in runs if rate_ratio(run) < 6.0]
        if not chosen:
            continue
        late = [
            geometric_mean_of(
                run.parameters["eta"] * run.parameters["t_max"] * run.scalars["final_train_loss"],
                run,
            )
            for run in chosen
        ]
        yield Claim(
            f"B20-late-loss-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} the training loss, and the sharpness in proportion to it, falls "
            "as 1/(ηt) at every learning rate below 6 η_c: ηt times the final loss is 1 within 4 % "
            "(measured: the geometric mean at the rate where it is furthest from 1).",
            furthest(late).within(1.0, 0.04),
        )


@claims_of(
    "B20",
    statement="With the exponential loss training depends on η and b₀ only through log η + b₀.",
    source=ours("S and b + log η obey a recursion without η, docs/theory.md"),
)
def rate_and_bias(evidence: Evidence) -> Iterator[Claim]:
    """Compare ‖S‖, b - b₀ and the loss over e^b₀ between runs of equal ηe^b₀, at all records."""
    names = ("weight_norm", "bias", "train_loss")
    shifted = evidence.runs("shifted")
    for run in evidence.runs("exponential"):
        ratio = rate_ratio(run)
        for other in shifted:
            if abs(rate_ratio(other) / ratio - 1.0) > 1e-9:
                continue
            steps, norm, bias, loss = run.curves(*names)
            other_steps, other_norm, other_bias, other_loss = other.curves(*names)
            if not np.array_equal(steps, other_steps) or len(norm) != len(other_norm):
                raise Undecidable("the runs compared have different records or sets")
            shift = other.parameters["b0"] - run.parameters["b0"]
            ratios = [
                other_norm / norm,
                np.exp(other_bias - shift - bias),
                other_loss * np.exp(-shift) / loss,
            ]
            yield Claim(
                f"B20-rate-and-bias-{ratio:.2g}",
                f"With the exponential loss at η = {ratio:.2g} η_c, ‖S‖, e^(b-b₀) and the training "
                f"loss over e^b₀ are the same from b₀ = {run.parameters['b0']:g} and from b₀ = "
                f"{other.parameters['b0']:g} with equal ηe^b₀, at every record of every set: "
                "within 0.001 %, the size of rounding (measured: mean, smallest and largest "
                "ratio).",
                extremes_of(np.stack(ratios, axis=1), run, other).within(1.0, 1e-5),
            )


@claims_of(
    "B20",
    statement="Training with the exponential loss overflows from about its η_c on.",
    source=_STEPS,
)
def overflow(evidence: Evidence) -> Iterator[Claim]:
    """Find the learning rate at which the loss overflows on half of the sets, at each σ."""
    runs = evidence.runs("overflow", "overflow_small_sigma", "overflow_large_sigma")
    for sigma, chosen in _by(runs, "sigma"):
        yield Claim(
            f"B20-overflow-sigma-{sigma:g}",
            f"At σ = {sigma:g}, λ = {chosen[0].parameters['lambda']:g} the exponential loss "
            "overflows on half of the sets at η = η_c, within 60 % (measured: with the "
            "cross-entropy from a b₀ so low that it is the exponential loss, interpolated between "
            "learning rates; interval: from where surely fewer overflow to where surely more do).",
            _half_overflows(chosen).within(1.0, 0.6),
            note="η_c holds at S = 0, b = b₀.  Where σ‖S₀‖ is 1, the mean of e^(S·x) is above 1 "
            "already; and where a few steps bring b down, they end before S has grown.",
            otherwise=Disagreement.RANGE,
        )


def _half_overflows(runs: list[RunResult]) -> Measurement:
    """Return the η/η_c at which the exponential loss overflows on half of the sets."""
    ratios = np.array([rate_ratio(run) for run in runs])
    hits = [is_thrown_out(run) for run in runs]
    # The share rises with η; at a finite number of sets it may seem to fall for a while.
    shares = np.maximum.accumulate([each.mean() for each in hits])
    edges = np.array([wilson_interval(int(each.sum()), len(each)) for each in hits])
    below, above = ratios[edges[:, 1] < 0.5], ratios[edges[:, 0] > 0.5]
    low = below.max() if len(below) else -np.inf
    high = above.min() if len(above) else np.inf
    crossed = shares.min() <= 0.5 <= shares.max()
    value = float(np.interp(0.5, shares, ratios)) if crossed else np.nan
    return Measurement(value, float(low), float(high), min(map(len, hits)), tuple(runs))


@claims_of(
    "B20",
    statement="Without bias, on sets that are not separable, training at large learning rates "
    "never settles.",
    source=ours("Meng et al., arXiv 2406.05033: cycles at large rates"),
)
def cycles(evidence: Evidence) -> Iterator[Claim]:
    """Measure how much training accuracies still vary in the second half of the steps, by η."""
    for run in evidence.runs("without_bias"):
        ratio = rate_ratio(run)
        settled = ratio < 1.0
        if not settled and ratio < _SLOW - 1.0:
            continue
        words = "settles: it varies by at most 0.2/√N" if settled else "varies by at least 0.5/√N"
        found = mean_of(_late_spread(run), run)
        yield Claim(
            f"B20-cycles-eta-{run.parameters['eta']:g}",
            f"Without bias, on sets that are not separable, at η = {ratio:.2g} η_c the training "
            f"accuracy {words} over the second half of the steps (measured: the mean of its range, "
            "in units of 1/√N).",
            found.at_most(0.2) if settled else found.at_least(0.5),
        )


def _late_spread(run: RunResult) -> np.ndarray:
    """Return the range of each training accuracy in the second half of the steps, (R,).

    In units of N^(-1/2): of N samples those that change sides do so in both directions.
    """
    steps, accuracy = run.curves("train_accuracy")
    late = accuracy[:, steps >= steps[-1] / 2]
    return np.ptp(late, axis=1) * np.sqrt(run.parameters["n_train"])
