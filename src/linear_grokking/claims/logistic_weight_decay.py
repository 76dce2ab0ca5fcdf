"""Claims on weight decay in logistic classification: Fig. B18, beyond Paper B."""

from collections.abc import Iterator

import numpy as np

from linear_grokking.claims.measuring import (
    furthest,
    geometric_mean_of,
    mean_of,
    median_of,
    of_shared_draws,
    proportion_of,
)
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import (
    Claim,
    Disagreement,
    Measurement,
    Undecidable,
    ours,
    paper_b,
)
from linear_grokking.figures.separability_panels import CRITICAL
from linear_grokking.results.reading import RunResult, by_value
from linear_grokking.theory import logistic_weight_decay, quasi_static, wendel

_EQUATIONS = ours("large-size ridge equations")
_BELOW, _ABOVE = 0.42, 0.57
"""Between these two λ, sets of some hundred points scatter widely about the large-size limit."""


@claims_of(
    "B18",
    statement="Grokking needs no regularization.",
    source=paper_b("Sec. 2 (none of slingshots, oscillations, regularization); factor 10 ours"),
)
def no_regularization(evidence: Evidence) -> Iterator[Claim]:
    """Compare the times of both accuracies without decay, just below λ = ½."""
    runs = evidence.runs("dynamics", keep=lambda p: p["gamma"] == 0 and p["lambda"] < CRITICAL)
    times = runs[0].scalars[["t_gen", "t_train"]].to_numpy(float)
    yield Claim(
        "B18-no-regularization",
        f"Without weight decay at λ = {runs[0].parameters['lambda']:g} generalization reaches "
        f"{evidence.percent} accuracy at least 10 times as late as training (measured: the median "
        "ratio; sets that never reach it count as infinitely late).",
        median_of(times[:, 0] / times[:, 1], runs[0]).at_least(10.0),
    )


@claims_of(
    "B18",
    statement="With weight decay of S alone every set, separable or not, generalizes.",
    source=ours("no minimum at finite bias"),
)
def weights_reach(evidence: Evidence) -> Iterator[Claim]:
    """Count the sets that reach the accuracy at each λ, with and without decay."""
    for lambda_, runs in _by_lambda(evidence).items():
        p = runs[0].parameters
        d = round(lambda_ * p["n_train"])
        share = wendel.separable_probability(p["n_train"], d)
        yield Claim(
            f"B18-weights-reach-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} (separable with probability {share:.3g}) weight decay of S alone "
            f"brings every set to {evidence.percent} generalization accuracy: at least 0.9 of "
            "them at every γ.",
            proportion_of(_reached(runs).all(axis=0), *runs).at_least(0.9, 1.0),
        )
    for run in evidence.runs("dynamics", keep=lambda p: p["gamma"] == 0 and p["lambda"] > _ABOVE):
        yield Claim(
            f"B18-none-reach-lambda-{run.parameters['lambda']:g}",
            f"Without weight decay no set at λ = {run.parameters['lambda']:g}, "
            f"σ = {run.parameters['sigma']:g}, above the transition, reaches {evidence.percent} "
            f"generalization accuracy: at most 0.2 of them by t = {run.parameters['t_max']:.0e}.",
            proportion_of(_reached([run])[0], run).at_most(0.2, 0.0),
            source=paper_b("Sec. 3.3 (the limit is Φ(1/(σM))); bound ours"),
        )


@claims_of(
    "B18",
    statement="With weight decay of S alone the time to an accuracy is a number over ηγ.",
    source=ours("quasi-static weights"),
)
def time_against_decay(evidence: Evidence) -> Iterator[Claim]:
    """Take each draw's d log t/d log γ between the smallest and the largest γ, at each λ."""
    for lambda_, runs in _by_lambda(evidence).items():
        if len(runs) < 2:
            raise Undecidable(f"λ = {lambda_:g} has one γ")
        first, last = runs[0], runs[-1]
        gammas = np.array([run.parameters["gamma"] for run in (first, last)])
        times = np.log(of_shared_draws([first, last], "t_gen"))
        slopes = (times[1] - times[0]) / np.log(gammas[1] / gammas[0])
        least = _scaled_time(first, evidence.threshold)
        measured = Measurement.unknown(len(slopes), first, last)
        if np.isfinite(slopes).all():  # what was not reached has no slope
            measured = mean_of(slopes, first, last)
        yield Claim(
            f"B18-time-slope-lambda-{lambda_:g}",
            f"With weight decay of S alone at λ = {lambda_:g} the time t to {evidence.percent} "
            f"accuracy is proportional to 1/γ: d log t/d log γ between γ = {gammas[0]:g} and "
            f"{gammas[1]:g} is -1 within 0.05 (quasi-static ηγt = {least:.2g} at the smaller γ).",
            measured.near(-1.0, 0.05),
            note="" if least >= 1 else "Where ηγt ≪ 1, the accuracy is reached before decay acts.",
            otherwise=Disagreement.RANGE if least < 1 else None,
        )


@claims_of(
    "B18",
    statement="With weight decay of S alone the quasi-static weights give the time to an accuracy "
    "where ηγt is large.",
    source=ours("quasi-static weights at large size"),
)
def quasi_static_time(evidence: Evidence) -> Iterator[Claim]:
    """Compare median with quasi-static times: where they are late, early, and at large σ."""
    groups = _by_lambda(evidence)
    lambda_ = max(groups)
    for name, words, runs, tolerance in (
        ("", f"at λ = {lambda_:g} for every γ", groups[lambda_], 0.35),
        ("-large-sigma", "at large σ", evidence.runs("large_sigma"), 0.25),
    ):
        scaled = [_scaled_time(run, evidence.threshold) for run in runs]
        yield Claim(
            f"B18-quasi-static{name}",
            f"With weight decay of S alone {words}, where ηγt is large "
            f"(σ = {runs[0].parameters['sigma']:g}, ηγt = {min(scaled):.3g} to {max(scaled):.3g}), "
            f"the median time to {evidence.percent} accuracy is the quasi-static one, within "
            f"{100 * tolerance:.0f} % (measured: the ratio furthest from 1).",
            furthest([_over_theory(run, evidence.threshold) for run in runs]).within(
                1.0, tolerance
            ),
            note="S lags behind its quasi-static value by about 1/(ηγt) of it.",
        )
    for lambda_, runs in groups.items():
        scaled = _scaled_time(runs[0], evidence.threshold)
        if _ABOVE < lambda_ < max(groups):
            yield Claim(
                f"B18-quasi-static-early-lambda-{lambda_:g}",
                f"With weight decay of S alone the median time to {evidence.percent} accuracy is "
                f"the quasi-static one at λ = {lambda_:g} too, where ηγt is only {scaled:.2g} at γ "
                f"= {runs[0].parameters['gamma']:g}: ratio 1 within 35 %.",
                _over_theory(runs[0], evidence.threshold).within(1.0, 0.35),
                note="S lags behind its quasi-static value by about 1/(ηγt) of it.",
                otherwise=Disagreement.RANGE,
            )


@claims_of(
    "B18",
    statement="With weight decay of S and b the accuracy ends below 1, and beyond γ_max below its "
    "threshold.",
    source=_EQUATIONS,
)
def decay_of_all(evidence: Evidence) -> Iterator[Claim]:
    """Count the sets that reach the accuracy beyond 1.5 γ_max and below γ_max/9."""
    sides: dict[str, list[RunResult]] = {"beyond": [], "below": []}
    for run in evidence.runs("minima", keep=lambda p: not _BELOW < p["lambda"] < _ABOVE):
        p = run.parameters
        most = logistic_weight_decay.max_weight_decay(
            p["lambda"], p["sigma"], evidence.threshold, p["loss"]
        )
        if p["gamma"] > 1.5 * most:
            sides["beyond"].append(run)
        elif p["gamma"] < most / 9:
            sides["below"].append(run)
    for side, words in (("beyond", "1.5 γ_max no set ever"), ("below", "γ_max/9 every set")):
        runs = sides[side]
        if not runs:
            raise Undecidable(f"no γ lies {side} γ_max")
        # The sets are the same at all γ: each counts once.
        pick = np.any if side == "beyond" else np.all
        reached = [pick(_reached(some), axis=0) for some in by_value(runs, "lambda").values()]
        measured = proportion_of(np.concatenate(reached), *runs)
        accepted = measured.at_most(0.1, 0.0) if side == "beyond" else measured.at_least(0.9, 1.0)
        yield Claim(
            f"B18-all-{side}",
            f"With weight decay of S and b {side} {words} reaches {evidence.percent} accuracy, "
            f"where γ_max is the largest γ with which large sets do (λ ≤ {_BELOW} or ≥ {_ABOVE}): "
            f"{'at most 0.1' if side == 'beyond' else 'at least 0.9'} of them.",
            accepted,
        )


@claims_of(
    "B18",
    statement="With weight decay of S and b the final ‖S‖ and accuracy are those of the large-size "
    "ridge equations.",
    source=_EQUATIONS,
)
def minimum_of_all(evidence: Evidence) -> Iterator[Claim]:
    """Compare final weights and accuracy with the equations, below and above the transition."""
    for name, words, keep, tolerance in (
        ("below", f"λ ≤ {_BELOW}", lambda p: p["lambda"] <= _BELOW, 0.12),
        ("above", f"λ ≥ {_ABOVE}", lambda p: p["lambda"] >= _ABOVE, 0.08),
    ):
        norms, accuracies = [], []
        for run in evidence.runs("minima", keep=keep):
            p = run.parameters
            end = logistic_weight_decay.minimum(p["lambda"], p["sigma"], p["gamma"], p["loss"])
            norms.append(geometric_mean_of(run.scalars["final_weight_norm"] / end.norm, run))
            accuracies.append(mean_of(run.scalars["final_gen_accuracy"] - end.accuracy, run))
        yield Claim(
            f"B18-minimum-norm-{name}",
            f"With weight decay of S and b for {words}, the final ‖S‖ is that of large sets, "
            f"within {100 * tolerance:.0f} % (measured: the ratio furthest from 1, over λ and γ).",
            furthest(norms).within(1.0, tolerance),
        )
        yield Claim(
            f"B18-minimum-accuracy-{name}",
            f"With weight decay of S and b for {words}, the final generalization accuracy is that "
            "of large sets, within 0.025 (measured: the deviation furthest from 0, over λ and γ).",
            furthest(accuracies, distance=abs).near(0.0, 0.025),
        )


def _by_lambda(evidence: Evidence) -> dict[float, list[RunResult]]:
    """Return the runs with decay of the weights by λ, in ascending order of γ."""
    runs = sorted(evidence.runs("times"), key=lambda run: run.parameters["gamma"])
    return dict(sorted(by_value(runs, "lambda").items()))


def _reached(runs: list[RunResult]) -> np.ndarray:
    """Tell which of the sets that runs share reach the accuracy, (runs, R)."""
    return np.isfinite(of_shared_draws(runs, "t_gen"))


def _scaled_time(run: RunResult, accuracy: float) -> float:
    """Return ηγ times the quasi-static time of a run."""
    eta, gamma = (run.parameters[key] for key in ("eta", "gamma"))
    return float(eta * gamma * _time(run, accuracy))


def _over_theory(run: RunResult, accuracy: float) -> Measurement:
    """Return the ratio of the median time to the quasi-static one."""
    return median_of(run.scalars["t_gen"], run) / _time(run, accuracy)


def _time(run: RunResult, accuracy: float) -> float:
    lambda_, sigma, gamma, eta = (
        run.parameters[key] for key in ("lambda", "sigma", "gamma", "eta")
    )
    return float(quasi_static.time_to_accuracy(lambda_, sigma, gamma, eta, accuracy))
