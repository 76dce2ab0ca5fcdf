"""Claims on power-law inputs in one-layer linear regression (Fig. A10)."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from linear_grokking.claims.measuring import (
    furthest,
    geometric_mean_of,
    mean_of,
    median_of,
    of_shared_draws,
)
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import (
    Claim,
    Disagreement,
    Measurement,
    Undecidable,
    ours,
    paper_a,
)
from linear_grokking.figures.a10 import P, problem_of
from linear_grokking.figures.linear_panels import times_to_loss
from linear_grokking.results.reading import RunResult, by_value
from linear_grokking.theory import structured_inputs, structured_laws, structured_times
from linear_grokking.theory.linear import Problem, loss_threshold
from linear_grokking.theory.linear_late_time import small_epsilon_delay
from linear_grokking.theory.structured_inputs import StructuredProblem

MODES = 8
"""Modes of a draw's inputs that must still be left where a loss's late law is measured."""
SHARE = 0.06
"""Late times begin when this share of the modes is left."""
_EQUIVALENTS = ours("deterministic equivalents, Silverstein's equation")


@claims_of(
    "A10",
    statement="Measured times agree with the large-size theory of structured inputs.",
    source=_EQUIVALENTS,
)
def times(evidence: Evidence) -> Iterator[Claim]:
    """Average the ratios to theory over λ: one claim per p and accuracy."""
    for p, chosen in sorted(by_value(evidence.runs("times"), P).items()):
        for series, scalar, time in (
            ("training", "t_train", structured_times.train_time),
            ("generalization", "t_gen", structured_times.gen_time),
        ):
            theory = [
                time(
                    problem_of(run.parameters),
                    run.parameters["epsilon"],
                    accuracy=evidence.threshold,
                )
                for run in chosen
            ]
            ratios = of_shared_draws(chosen, scalar) / np.array(theory)[:, np.newaxis]
            found = np.exp(np.log(ratios).mean(axis=0))
            yield Claim(
                f"A10-{series}-time-p-{p:g}",
                f"For power-law inputs with p = {p:g} the {series} accuracy reaches "
                f"{evidence.percent} at the time given by the exact large-size loss, within 25 % "
                f"(tolerance ours) on (geometric) average over {len(chosen)} values of λ below 1.",
                geometric_mean_of(found, *chosen).within(1.0, 0.25),
            )


@claims_of(
    "A10",
    statement="At late times both losses are power laws, and the training loss is (1-λ)² times the "
    "generalization loss.",
    source=ours("late times of a power-law spectrum"),
)
def late_laws(evidence: Evidence) -> Iterator[Claim]:
    """At the smallest λ, measure slope and ratio while enough modes are left; then test theory."""
    steep = evidence.runs("times", keep=lambda p: p[P] > 1)
    smallest, runs = min(by_value(steep, "lambda").items())
    for run in runs:
        p = run.parameters[P]
        first, last, slope = _late_slope(run)
        here = f"at p = {p:g}, λ = {smallest:g}"
        window = (
            f"from t = {first:.2g} to {last:.2g}, by when at most {MODES} of {_size(run)} modes "
            "are left"
        )
        yield Claim(
            f"A10-late-exponent-p-{p:g}",
            "For power-law inputs the generalization loss falls as t^(-1-1/p) at late times: its "
            f"logarithmic slope {here} {window}, differs from -1-1/p by at most 0.2 (tolerance "
            "ours).",
            mean_of(slope, run).near(-1.0 - 1.0 / p, 0.2),
            note=f"At d_in = {_size(run)} there is a smallest eigenvalue, at which the power law "
            "ends.",
        )
        steps, train, gen = run.curves("train_loss", "gen_loss")
        ratio = np.exp(
            [np.interp(np.log(last), np.log1p(steps), np.log(each)) for each in train / gen]
        )
        yield Claim(
            f"A10-loss-ratio-p-{p:g}",
            "For power-law inputs the training loss at late times is (1-λ)² times the "
            f"generalization loss: {here}, t = {last:.2g} within 10 % (tolerance ours).",
            geometric_mean_of(ratio, run).within((1.0 - smallest) ** 2, 0.1),
        )
        problem = problem_of(run.parameters)
        levels = loss_threshold(np.array([1e-7, 1e-9]), accuracy=evidence.threshold)
        exact = [
            time_to(levels, problem)
            for time_to in (structured_times.train_time_to_loss, structured_times.gen_time_to_loss)
        ]
        law = structured_laws.late_times(levels, problem)
        over = np.ravel([exact[0] / law.train, exact[1] / law.gen])
        yield Claim(
            f"A10-late-times-p-{p:g}",
            "For power-law inputs and small ε the power laws of late times, which have no "
            "logarithm, give the times of training and generalization: both within 5 % "
            f"{here}, ε = 1e-7 and 1e-9 (measured: the largest difference; tolerance ours).",
            furthest(map(Measurement.exact, over)).within(1.0, 0.05),
        )


def _size(run: RunResult) -> int:
    return int(run.parameters["d_in"])


def _late_slope(run: RunResult) -> tuple[float, float, np.ndarray]:
    """Return the first and the last step of a late window, and each draw's slope in it.

    At step t the modes with eigenvalues below τ = 1/(4η(1-λ)t) are left, a share
    (τ/(p+1))^{1/p} of all.
    """
    p, lambda_, eta = (run.parameters[key] for key in (P, "lambda", "eta"))
    shares = np.array([SHARE, min(MODES / _size(run), SHARE / 2)])
    window = 1.0 / (4.0 * eta * (1.0 - lambda_) * (p + 1.0) * shares**p)
    return float(window[0]), float(window[1]), _slope(run, window)


def _slope(run: RunResult, window: np.ndarray) -> np.ndarray:
    """Return the slope d log L_gen/d log t of each draw between two steps, (R,)."""
    steps, gen = run.curves("gen_loss")
    if window[1] > steps[-1]:
        raise Undecidable(f"the runs end at {steps[-1]:.3g} steps, before {window[1]:.3g}")
    logs = [np.interp(np.log(window), np.log(steps[1:]), np.log(each[1:])) for each in gen]
    return np.diff(logs, axis=1)[:, 0] / np.diff(np.log(window))


@claims_of(
    "A10",
    statement="At late times t_tr/t_gen is (1-λ)^(2p/(p+1)) for any ε.",
    source=ours("late times of a power-law spectrum"),
)
def time_ratios(evidence: Evidence) -> Iterator[Claim]:
    """Measure the ratio at the smallest λ and two ε."""
    steep = evidence.runs("times", keep=lambda p: p[P] > 1)
    smallest, runs = min(by_value(steep, "lambda").items())
    for run in runs:
        p = run.parameters[P]
        law = (1.0 - smallest) ** (2.0 * p / (p + 1.0))
        for epsilon in (1e-3, 1e-4):
            level = float(loss_threshold(epsilon, accuracy=evidence.threshold))
            train, gen = times_to_loss(run, level)
            yield Claim(
                f"A10-time-ratio-p-{p:g}-epsilon-{epsilon:g}",
                "For power-law inputs the ratio of the times at which training and "
                f"generalization loss fall to the threshold of ε = {epsilon:g} is "
                f"(1-λ)^(2p/(p+1)): at p = {p:g}, λ = {smallest:g} within 25 % (tolerance ours).",
                geometric_mean_of(train / gen, run).within(law, 0.25),
            )


@claims_of(
    "A10",
    statement="At λ = 1 the generalization loss falls as t^(-1/2) for p < 1, and as t^(-p/(p+1)) "
    "for p > 1.",
    source=ours("Silverstein's equation at λ = 1"),
)
def critical(evidence: Evidence) -> Iterator[Claim]:
    """Measure slopes at λ = 1, and compute how the crossover time depends on 1-λ."""
    for run in evidence.runs("critical", keep=lambda p: p["lambda"] == 1):
        p = run.parameters[P]
        window = np.array([1e2, 1e4])
        yield Claim(
            f"A10-critical-exponent-p-{p:g}",
            f"For power-law inputs with p = {p:g} at λ = 1 the generalization loss falls as "
            "t^-max(1/2, p/(p+1)): its logarithmic slope from t = 1e2 to 1e4 differs from this "
            "exponent by at most 0.08 (tolerance ours).",
            mean_of(_slope(run, window), run).near(-max(0.5, p / (p + 1.0)), 0.08),
        )
        gaps = np.array([1e-2, 1e-3])
        eta = run.parameters["eta"]
        cross = [_leaves(StructuredProblem(1.0 - gap, eta, exponent=p)) for gap in gaps]
        exponent = np.log(cross[1] / cross[0]) / np.log(gaps[1] / gaps[0])
        yield Claim(
            f"A10-crossover-p-{p:g}",
            f"For power-law inputs with p = {p:g} the large-size generalization loss departs from "
            "that of λ = 1 (falls to half of it) at a time that grows as (1-λ)^-max(2, p+1): the "
            "exponent between 1-λ = 1e-2 and 1e-3 is this within 0.1.",
            Measurement.exact(exponent).near(-max(2.0, p + 1.0), 0.1),
        )


def _leaves(problem: StructuredProblem) -> float:
    """Return the first time at which the loss is half of that at λ = 1."""
    t = np.geomspace(1e2, 1e18, 1601)
    critical = StructuredProblem(1.0, problem.eta, exponent=problem.exponent)
    share = structured_inputs.gen_loss(t, problem) / structured_inputs.gen_loss(t, critical)
    after = int(np.argmax(share < 0.5))
    if after == 0:
        raise Undecidable(f"at p = {problem.exponent:g} the loss departs before step 100 or never")
    last = slice(after - 1, after + 1)
    return float(np.exp(np.interp(-0.5, -share[last], np.log(t[last]))))


@claims_of(
    "A10",
    statement="If the spectrum of the inputs' covariance is bounded away from 0, its harmonic mean "
    "sets the lower edge of the spectrum of XᵀX/N.",
    source=ours("Silverstein's equation near λ = 1"),
)
def harmonic_mean(evidence: Evidence) -> Iterator[Claim]:
    """Compute the edge for eigenvalues spread evenly between 0.1 and 1.9."""
    tau = 0.1 + 1.8 * (np.arange(2000) + 0.5) / 2000
    exact = structured_laws.lower_edge(0.99, tau)
    for name, words, formula, otherwise in (
        ("harmonic", "(1-λ)²/(4⟨1/τ⟩)", structured_laws.lower_edge_near_one(0.99, tau), None),
        ("isotropic", "(1-√λ)²", (1.0 - np.sqrt(0.99)) ** 2, Disagreement.RANGE),
    ):
        yield Claim(
            f"A10-lower-edge-{name}",
            "For inputs whose covariance C has eigenvalues τ spread evenly from 0.1 to 1.9 "
            f"(mean 1), the lower edge of the large-size spectrum of XᵀX/N is {words} at λ = 0.99, "
            "within 5 % (measured: exact edge over formula).",
            Measurement.exact(exact / formula).within(1.0, 0.05),
            note="The slow directions are those of small variance, and the lower edge is smaller."
            if otherwise
            else "",
            source=paper_a("Sec. 3.1 (isotropic inputs)") if otherwise else None,
            otherwise=otherwise,
        )


@claims_of(
    "A10",
    statement="Below λ = 1 the delay tends to log(1/q)/(2ηq²), q = 1-√λ, for small ε.",
    source=paper_a("Eq. 12 (isotropic inputs, ε → 0)"),
)
def paper_delay(evidence: Evidence) -> Iterator[Claim]:
    """Compare the formula with the losses' delay at the smallest ε that all draws reach."""
    for run in evidence.runs("dynamics", keep=lambda p: p["lambda"] < 1 and not 0 < p[P] < 1):
        p, epsilon, delay = run.parameters[P], *_smallest_epsilon(run, evidence)
        formula = small_epsilon_delay(Problem(run.parameters["lambda"], run.parameters["eta"]))
        yield Claim(
            f"A10-paper-delay-p-{p:g}",
            f"For {'power-law' if p else 'isotropic'} inputs (p = {p:g}, "
            f"λ = {run.parameters['lambda']:g}) the delay at ε = {epsilon:g} is Paper A's "
            "log(1/q)/(2ηq²), q = 1-√λ, within a factor of 2 (factor ours; measured: delay between "
            "the losses' times over formula).",
            geometric_mean_of(delay / formula, run).within(1.0, 1.0),
            note="Without a gap of the spectrum at 0 the delay has no limit for ε → 0: it grows as "
            "ε^(-p/(p+1))."
            if p
            else "",
            otherwise=Disagreement.RANGE,
        )


def _smallest_epsilon(run: RunResult, evidence: Evidence) -> tuple[float, np.ndarray]:
    """Return the smallest measured ε, and the delay of each draw there."""
    measured = evidence.rows("time_ratio").query("source == 'experiment'")
    epsilons = measured.loc[measured[P] == run.parameters[P], "x"]
    if epsilons.empty:
        raise Undecidable("no ε is reached by all draws")
    epsilon = float(epsilons.min())
    level = float(loss_threshold(epsilon, accuracy=evidence.threshold))
    train, gen = times_to_loss(run, level)
    return epsilon, gen - train


@claims_of(
    "A10",
    statement="For λ > 1 weight decay makes a student of large initial scale generalize after "
    "1/(2ηγ) times a logarithm.",
    source=ours("null space of the training set under weight decay"),
)
def forgetting(evidence: Evidence) -> Iterator[Claim]:
    """Compare times with the closed form at each α, and the closed form with exact times."""
    runs = evidence.runs("forgetting", keep=lambda p: p["gamma"] > 0)
    for alpha, chosen in sorted(by_value(runs, "alpha").items()):
        law = np.array([_forgotten(run.parameters, evidence.threshold) for run in chosen])
        ratios = of_shared_draws(chosen, "t_gen") / law[:, np.newaxis]
        yield Claim(
            f"A10-forgetting-alpha-{alpha:g}",
            f"For λ > 1 weight decay γ makes an initial student scaled by α = {alpha:g} "
            f"generalize: it reaches {evidence.percent} accuracy after "
            "log[(α²κ₀/2λ)/(L-κ₀/2λ)]/(2ηγ) steps, with L the loss of that accuracy and κ₀/λ the "
            "null space's share of the loss, within 20 % (tolerance ours) on (geometric) average "
            f"over {len(chosen)} values of γ.",
            geometric_mean_of(np.exp(np.log(ratios).mean(axis=0)), *chosen).within(1.0, 0.2),
        )
        slow = min(chosen, key=lambda run: run.parameters["gamma"])
        wait = slow.scalars["t_gen"] / slow.scalars["t_train"]
        yield Claim(
            f"A10-forgetting-delay-alpha-{alpha:g}",
            "With weight decay and a student of large initial scale there is grokking for λ > 1 as "
            f"well: at λ = {slow.parameters['lambda']:g}, α = {alpha:g}, "
            f"γ = {slow.parameters['gamma']:g}, inputs with p = {slow.parameters[P]:g}, "
            "generalization takes at least 100 times as long as training (bound ours).",
            median_of(wait, slow).at_least(100.0),
        )
    exact = [
        structured_times.gen_time(
            problem_of(run.parameters), run.parameters["epsilon"], accuracy=evidence.threshold
        )
        / _forgotten(run.parameters, evidence.threshold)
        for run in runs
        if run.parameters["gamma"] <= 1e-3
    ]
    yield Claim(
        "A10-forgetting-formula",
        "For λ > 1 the closed form log[(α²κ₀/2λ)/(L-κ₀/2λ)]/(2ηγ) is the exact large-size "
        "generalization time, within 3 %, for γ up to 1e-3 (measured: the largest difference; "
        "tolerance ours).",
        furthest(map(Measurement.exact, exact)).within(1.0, 0.03),
    )


def _forgotten(parameters: Mapping[str, Any], threshold: float) -> float:
    level = loss_threshold(parameters["epsilon"], accuracy=threshold)
    return float(structured_laws.forgetting_time(level, problem_of(parameters)))
