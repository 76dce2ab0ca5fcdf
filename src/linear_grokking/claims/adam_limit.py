"""Claims on where Adam ends and when it gets there: Fig. B19, and the runs of Figs. B5 and B10."""

from collections.abc import Iterator

import numpy as np
from scipy.special import ndtri

from linear_grokking.claims.draws import draws_of
from linear_grokking.claims.measuring import (
    extremes_of,
    geometric_mean_of,
    mean_of,
    median_of,
    slope_of,
)
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, Disagreement, Undecidable, ours
from linear_grokking.figures.b19 import separable_ends, step_of
from linear_grokking.figures.logistic_panels import pair_runs
from linear_grokking.figures.separability_panels import CRITICAL
from linear_grokking.theory import adam_limit

_LIMIT = ours("large-size limit of the largest margin in the box, docs/theory.md")
_TENDS = ours("Zhang, Zou and Cao, arXiv 2406.10650: Adam tends to the largest margin in the box")
_TIME = ours("Adam lowers b by the same amount in every step, docs/theory.md")
_SMALL, _LARGE = 1.0, 5.0
"""Steps that move outputs by up to `_SMALL` are small, by `_LARGE` or more large."""


@claims_of("B19", statement="The largest margin in the box is the large-size one.", source=_LIMIT)
def box(evidence: Evidence) -> Iterator[Claim]:
    """Compare margins and lengths from linear programs with large-size ones, at each λ and N."""
    for run in evidence.runs("separability", "large_sets", keep=lambda p: p["lambda"] >= 0.6):
        lambda_, n_train, sigma = (run.parameters[key] for key in ("lambda", "n_train", "sigma"))
        found = run.scalars[run.scalars["separable"].astype(bool)]
        root = np.sqrt(lambda_ * n_train)
        limit = adam_limit.box_margin(lambda_)
        where = f"At λ = {lambda_:g}, N = {n_train}"
        yield Claim(
            f"B19-box-size-lambda-{lambda_:g}-n-{n_train}",
            f"{where}, the S with the largest margin in the box |S_j| ≤ 1 has the norm ‖S‖ = ρ√d "
            "of large sets, within 6 % (measured: ‖S‖/√d on separable sets).",
            geometric_mean_of(found["box_norm"] / root, run).within(float(limit.size), 0.06),
            otherwise=Disagreement.SIZE,
        )
        yield Claim(
            f"B19-box-margin-lambda-{lambda_:g}-n-{n_train}",
            f"{where}, the largest margin in the box |S_j| ≤ 1 is that of large sets within "
            "0.02 σ√d (measured: margin/(σ√d) on separable sets).",
            mean_of(found["box_margin"] / (sigma * root), run).near(float(limit.margin), 0.02),
            otherwise=Disagreement.SIZE,
        )


@claims_of(
    "B19", statement="Adam's direction tends to the largest margin in the box.", source=_TENDS
)
def adam_end(evidence: Evidence) -> Iterator[Claim]:
    """Compare the final ‖S‖/|b| and accuracy with those of that margin, at each λ."""
    for run, sets in pair_runs(evidence.runs("above"), evidence.runs("separability")):
        lambda_, sigma, n_train = (run.parameters[key] for key in ("lambda", "sigma", "n_train"))
        ends = separable_ends(run, sets)
        limit = float(adam_limit.limit_gen_accuracy(lambda_, sigma, lambda_ * n_train))
        yield Claim(
            f"B19-adam-direction-lambda-{lambda_:g}",
            f"On separable sets at λ = {lambda_:g}, Adam's ‖S‖/|b| ends at that of the set's "
            "largest margin in the box max(|S_j|, |b|) ≤ 1: median ratio 1 within 8 % (a step "
            f"moves an output by at most {step_of(run):.2g}).",
            median_of(ends["norm_ratio"], run).within(1.0, 0.08),
        )
        yield Claim(
            f"B19-adam-end-lambda-{lambda_:g}",
            f"On separable sets at λ = {lambda_:g}, σ = {sigma:g}, N = {n_train}, Adam's "
            f"generalization accuracy ends at Φ(1/(σρ√d)) = {limit:.3f}, within 0.005.",
            mean_of(ends["final_gen_accuracy"], run).near(limit, 0.005),
        )


@claims_of(
    "B19",
    statement="On the same separable sets Adam's accuracy ends at chance, gradient descent's near "
    "1.",
    source=_TENDS,
)
def opposite_ends(evidence: Evidence) -> Iterator[Claim]:
    """Take both solvers' final accuracies on the same sets, at the smallest λ above ½."""
    smallest = min(run.parameters["lambda"] for run in evidence.runs("above"))
    for role, solver, words in (
        ("above", "adam", "Adam's generalization accuracy ends below 0.55"),
        ("above_descent", "descent", "gradient descent's generalization accuracy ends above 0.9"),
    ):
        runs = evidence.runs(role, keep=lambda p: p["lambda"] == smallest)
        for run, sets in pair_runs(runs, evidence.runs("separability")):
            final = extremes_of(separable_ends(run, sets)["final_gen_accuracy"], run)
            yield Claim(
                f"B19-opposite-{solver}",
                f"At λ = {smallest:g}, σ = {run.parameters['sigma']:g}, {words} on every separable "
                "set (measured: mean, smallest and largest).",
                final.at_most(0.55) if solver == "adam" else final.at_least(0.9),
            )


@claims_of(
    "B19",
    statement="Where a step moves outputs by more than 1, Adam does not end at the largest margin "
    "in the box.",
    source=ours("steps that move outputs by more than 1, docs/theory.md"),
)
def large_steps(evidence: Evidence) -> Iterator[Claim]:
    """Compare the final ‖S‖/|b| with that margin's, at each learning rate and σ."""
    for run, sets in pair_runs(evidence.runs("steps"), evidence.runs("separability")):
        if _SMALL < step_of(run) < _LARGE:
            continue
        eta, sigma, lambda_ = (run.parameters[key] for key in ("eta", "sigma", "lambda"))
        ratio = separable_ends(run, sets)["norm_ratio"]
        yield Claim(
            f"B19-step-eta-{eta:g}-sigma-{sigma:g}",
            f"At η = {eta:g}, σ = {sigma:g}, λ = {lambda_:g}, where a step moves an output by up "
            f"to {step_of(run):.2g}, Adam's ‖S‖/|b| on separable sets ends at that of the largest "
            "margin in the box max(|S_j|, |b|) ≤ 1: median ratio 1 within 12 %.",
            median_of(ratio, run).within(1.0, 0.12),
            note="This margin is Adam's limit for small steps, which move outputs by less than 1.",
            otherwise=Disagreement.RANGE if step_of(run) > _SMALL else None,
        )


@claims_of(
    "B19",
    "B5",
    statement="Below λ = ½ Adam's time to an accuracy is proportional to ‖S_∞‖.",
    source=_TIME,
)
def time(evidence: Evidence) -> Iterator[Claim]:
    """Compare the time with Φ⁻¹(a)σ‖S_∞‖/u of the same sets, at each λ."""
    role = "dynamics" if evidence.figure == "B5" else "below"
    query = f"lambda_ < {CRITICAL} and not separable"
    for run, draws in draws_of(evidence, role, "separability", query):
        keys = ("lambda", "sigma", "eta", "beta1", "beta2")
        lambda_, sigma, *of_adam = (run.parameters[key] for key in keys)
        speed = adam_limit.bias_speed(*of_adam)
        expected = ndtri(evidence.threshold) * sigma * draws["norm"].to_numpy(float) / speed
        small = step_of(run) <= _SMALL
        yield Claim(
            f"{evidence.figure}-time-lambda-{lambda_:g}",
            f"At λ = {lambda_:g}, on sets that are not separable, Adam's time to "
            f"{evidence.percent} accuracy is {ndtri(evidence.threshold):.3f} σ‖S_∞‖/u, as |b| = ut "
            f"with u = {float(speed):.3g} per step: within 8 % in every draw (measured: mean, "
            "smallest and largest ratio).",
            extremes_of(draws["t_gen"] / expected, run).within(1.0, 0.08),
            otherwise=None if small else Disagreement.RANGE,
        )


@claims_of(
    "B19",
    statement="The time to an accuracy is linear in ‖S_∞‖ with Adam, exponential with gradient "
    "descent.",
    source=_TIME,
)
def linear_not_exponential(evidence: Evidence) -> Iterator[Claim]:
    """Fit the power of ‖S_∞‖ in Adam's times, and the rate of gradient descent's exponential."""
    query = f"lambda_ < {CRITICAL} and not separable"
    quantile = float(ndtri(evidence.threshold))
    for role, name, statement, expected, tolerance, note in (
        (
            *("below", "power"),
            f"Adam's time to {evidence.percent} accuracy grows as the power 1 of ‖S_∞‖",
            *(1.0, 0.05, ""),
        ),
        (
            *("below_descent", "rate"),
            f"gradient descent's time to {evidence.percent} accuracy grows as the exponential of "
            f"{quantile:.3f} σ‖S_∞‖",
            *(quantile, 0.25),
            "Where ‖S_∞‖ is large, S still grows when the accuracy is reached, which makes the "
            "time shorter.",
        ),
    ):
        found = draws_of(evidence, role, "separability", query)
        runs = [run for run, _ in found]
        r = np.concatenate([run.parameters["sigma"] * each["norm"] for run, each in found])
        log_t = np.log(np.concatenate([each["t_gen"] for _, each in found]))
        if not np.isfinite(log_t).all():
            raise Undecidable("not all of these sets reach the accuracy")
        lambdas = ", ".join(f"{run.parameters['lambda']:g}" for run in runs)
        yield Claim(
            f"B19-{name}",
            f"Over sets that are not separable (λ = {lambdas}) {statement}: the fitted {name} is "
            f"that within {100 * tolerance:.0f} %.",
            slope_of(np.log(r) if role == "below" else r, log_t, *runs).within(expected, tolerance),
            note=note,
        )


@claims_of(
    "B10",
    statement="At the paper's learning rate Adam's accuracy ends near its limit of small steps.",
    source=_TENDS,
)
def paper_steps(evidence: Evidence) -> Iterator[Claim]:
    """Compare final accuracies of separable sets with that limit, at each λ."""
    query = "lambda_ >= 0.51 and separable"
    for run, draws in draws_of(evidence, "adam", "separability", query):
        lambda_, sigma, n_train = (run.parameters[key] for key in ("lambda", "sigma", "n_train"))
        limit = float(adam_limit.limit_gen_accuracy(lambda_, sigma, lambda_ * n_train))
        yield Claim(
            f"B10-adam-limit-lambda-{lambda_:g}",
            f"On separable sets at λ = {lambda_:g}, σ = {sigma:g}, N = {n_train}, Adam's "
            "generalization accuracy ends at the limit of small steps and large sets, Φ(1/(σρ√d)) "
            f"= {limit:.4f}: A_gen - ½ within 10 % on every set (measured: mean, smallest and "
            "largest).",
            extremes_of(draws["final_gen_accuracy"] - 0.5, run).within(limit - 0.5, 0.1),
            note=f"A step moves an output by up to ησd√(2/π) = {step_of(run):.2g}; the limit holds "
            "for steps that move outputs by less than 1.",
            otherwise=Disagreement.RANGE,
        )
