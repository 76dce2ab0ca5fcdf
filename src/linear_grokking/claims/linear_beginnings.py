"""Claims on the initial scale and on label noise in linear regression (Fig. A7)."""

from collections.abc import Iterator

import numpy as np

from linear_grokking.claims.measuring import (
    furthest,
    geometric_mean_of,
    interpolated,
    log_time_average,
    mean_of,
    of_shared_draws,
)
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, Disagreement, Undecidable, ours, paper_a
from linear_grokking.figures.linear_panels import problem_of
from linear_grokking.results.reading import RunResult
from linear_grokking.theory import linear
from linear_grokking.theory.linear_grokking_time import grokking_time

_SECTION = "Sec. 3.1.3 (Effects of Initialization and Label Noise)"


@claims_of("A7", statement="Losses scale by (1+α²)/2.", source=paper_a(_SECTION))
def scale(evidence: Evidence) -> Iterator[Claim]:
    """Compare early losses with those at α = 1."""
    runs, reference = _scaled(evidence)
    steps, unscaled = reference.curves("gen_loss")
    early = steps <= 1e4
    for alpha, run in runs.items():
        _, losses = run.curves("gen_loss")
        n = min(len(losses), len(unscaled))
        ratio = log_time_average(steps[early], np.log(losses[:n] / unscaled[:n])[:, early])
        yield Claim(
            f"A7-scale-alpha-{alpha:g}",
            f"Scaling the initial student by α = {alpha:g} scales the losses by (1+α²)/2, "
            "within 10 % (averaged over log t up to 1e4 steps).",
            geometric_mean_of(np.exp(ratio), run, reference).within((1 + alpha**2) / 2, 0.1),
        )


def _scaled(evidence: Evidence) -> tuple[dict[float, RunResult], RunResult]:
    """Return the runs with α ≠ 1 in ascending order of α, and the run with α = 1."""
    runs = {run.parameters["alpha"]: run for run in evidence.runs("scale")}
    if 1.0 not in runs or len(runs) < 2:
        raise Undecidable("no run has α = 1, or no other one")
    return dict(sorted((alpha, run) for alpha, run in runs.items() if alpha != 1)), runs[1.0]


@claims_of(
    "A7", statement="A larger initial scale increases the grokking time.", source=paper_a("Sec. 1")
)
def scaled_times(evidence: Evidence) -> Iterator[Claim]:
    """Compare measured times with those at α = 1, and with the formula at 2ε/(1+α²)."""
    runs, reference = _scaled(evidence)
    ratios, of_threshold, increases = {}, [], []
    for alpha, run in runs.items():
        before, after = of_shared_draws([reference, run], "grokking_time")
        if not np.isfinite([before, after]).all():
            raise Undecidable(f"not every realization generalizes at α = {alpha:g}")
        ratios[alpha] = geometric_mean_of(after / before, run, reference)
        larger = after / before if alpha > 1 else before / after
        increases.append(geometric_mean_of(larger, run, reference))
        problem = problem_of(run.parameters, alpha=1.0)
        threshold = 2 * run.parameters["epsilon"] / (1 + alpha**2)
        expected = grokking_time(problem, threshold, accuracy=evidence.threshold)
        of_threshold.append(geometric_mean_of(after / expected, run))
    yield Claim(
        "A7-scale-increases-time",
        "A larger initial scale increases the grokking time: the ratio to that without scaling "
        "(its inverse where α < 1) is above 1 at every α (the smallest; λ = "
        f"{reference.parameters['lambda']:g}).",
        furthest(increases, lambda ratio: -ratio).at_least(1.0),
    )
    yield Claim(
        "A7-scale-as-threshold",
        "Scaling by α is the same as a threshold of 2ε/(1+α²): the grokking time is the "
        "formula's there, within 20 % (the α of the largest difference; tolerance ours).",
        furthest(of_threshold).within(1.0, 0.2),
        source=paper_a(_SECTION),
    )
    largest = max(ratios)
    yield Claim(
        f"A7-scale-leaves-time-alpha-{largest:g}",
        f"Scaling the initial student leaves the result unchanged: the grokking time at "
        f"α = {largest:g} is that at α = 1, within 10 %.",
        ratios[largest].within(1.0, 0.1),
        note="So it is for Eq. 12, the limit ε → 0, which knows no ε; at the figures' ε the "
        "smaller threshold counts, as the paper's introduction says.",
        source=paper_a(_SECTION),
        otherwise=Disagreement.RANGE,
    )


def _noisy(evidence: Evidence) -> list[RunResult]:
    return evidence.runs("noise", keep=lambda p: p["noise"] > 0 and p["lambda"] < 1)


@claims_of("A7", statement="The student overfits noisy labels, up to a plateau.", source=ours())
def plateau(evidence: Evidence) -> Iterator[Claim]:
    """Compare final losses with the plateau's height."""
    for run in _noisy(evidence):
        noise, lambda_ = run.parameters["noise"], run.parameters["lambda"]
        height = lambda_ * noise / (1 - lambda_)
        yield Claim(
            f"A7-plateau-noise-{noise:g}",
            f"With label noise s² = {noise:g} the clean-test loss ends at λs²/(1-λ), within 20 %.",
            geometric_mean_of(run.scalars["final_gen_loss"], run).within(height, 0.2),
        )


@claims_of(
    "A7",
    statement="Label noise leaves the dynamics, and adds a constant to the generalization loss.",
    source=paper_a(_SECTION),
)
def noise_contribution(evidence: Evidence) -> Iterator[Claim]:
    """Take the difference to the run without noise, at one time and at the end."""
    noisiest = max(_noisy(evidence), key=lambda run: run.parameters["noise"])
    clean = evidence.runs("noise", keep=lambda p: p["noise"] == 0 and p["lambda"] < 1)[0]
    noise, lambda_, d_out = (noisiest.parameters[key] for key in ("noise", "lambda", "d_out"))
    (steps, with_noise), (_, without) = noisiest.curves("gen_loss"), clean.curves("gen_loss")
    n = min(len(with_noise), len(without))
    added = with_noise[:n] - without[:n]
    k = int(np.argmin(np.abs(steps - 1e3)))
    share = mean_of(added[:, k] / added[:, -1], noisiest, clean)
    problem, plain = (problem_of(noisiest.parameters, noise=each) for each in (noise, 0.0))
    expected = linear.gen_loss(steps[[k, -1]], problem) - linear.gen_loss(steps[[k, -1]], plain)
    predicted = float(expected[0] / expected[1])
    yield Claim(
        "A7-noise-constant",
        "Label noise adds a constant to the generalization loss, the dynamics being the same: at "
        f"s² = {noise:g} its contribution at {steps[k]:.0f} steps is that at the end, within 10 %.",
        share.within(1.0, 0.1),
        note="The student fits the noise too, in the slow modes last: its contribution grows as "
        "they are learned, so that the clean-test loss passes a minimum and rises again.",
    )
    yield Claim(
        "A7-noise-contribution",
        f"The contribution of label noise, λs²E[(1-e^(-2ηνt))²/ν], is at {steps[k]:.0f} steps "
        f"{predicted:.2f} of that at the end, within 20 %.",
        share.within(predicted, 0.2),
        source=ours(),
    )
    epsilon = noisiest.parameters["epsilon"]
    accuracy = float(linear.accuracy(lambda_ * noise / (1 - lambda_), epsilon, d_out))
    yield Claim(
        "A7-noise-finite-accuracy",
        f"With noisy labels some finite accuracy is reached: at λ = {lambda_:g}, s² = {noise:g}, "
        f"ε = {epsilon:g} it ends at that of the loss λs²/(1-λ), {accuracy:.3f}, within 0.03 "
        "(level ours).",
        mean_of(noisiest.scalars["final_gen_accuracy"], noisiest).near(accuracy, 0.03),
    )


@claims_of(
    "A7",
    statement="The loss passes a minimum before the student overfits noisy labels.",
    source=ours(),
)
def minimum(evidence: Evidence) -> Iterator[Claim]:
    """Compare the minimum's depth with the theory's, for each noise variance."""
    smallest = evidence.rows("minimum_loss", "minimum").query("source == 'theory'")
    for run in _noisy(evidence):
        noise = run.parameters["noise"]
        if not smallest["x"].min() <= noise <= smallest["x"].max():
            continue
        depth = interpolated(smallest, noise, logarithmic=True)
        yield Claim(
            f"A7-minimum-noise-{noise:g}",
            f"With label noise s² = {noise:g} (λ = {run.parameters['lambda']:g}) the loss passes a "
            "minimum of the predicted depth, within 20 %.",
            geometric_mean_of(run.scalars["min_gen_loss"], run).within(depth, 0.2),
        )
