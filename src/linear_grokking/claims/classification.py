"""Claims on the dynamics of logistic classification: Paper B's Figs. 1, 2, 5 and 9 to 17."""

from collections.abc import Iterator

import numpy as np

from linear_grokking.claims.measuring import (
    curves,
    geometric_mean_of,
    mean_of,
    median_of,
    proportion_of,
    slope_of,
)
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.separability import CRITICAL
from linear_grokking.claims.verdict import Claim, Measurement, at_least, at_most, near, within
from linear_grokking.figures.logistic_panels import limit_accuracies, pair_runs
from linear_grokking.figures.tables import RunResult
from linear_grokking.grokking_time import first_crossing
from linear_grokking.statistics import quantile
from linear_grokking.theory import label_fraction, large_size, margin, two_gaussians

_CONSTANT_LABEL = "Paper B, Secs. 3.2 and 3.3"


def _limits(evidence: Evidence, dynamics: str, sets: str) -> list[tuple[RunResult, np.ndarray]]:
    """Return each run with the separability of its realizations, as far as that is known."""
    return [
        (run, limit_accuracies(run, partner))
        for run, partner in pair_runs(evidence.runs(dynamics), evidence.runs(sets))
    ]


@claims_of("B1")
def final_accuracy(evidence: Evidence) -> Iterator[Claim]:
    """Check the accuracy at t → ∞: 1 below ½, Φ(1/(σM)) above."""
    pairs = _limits(evidence, "final_dynamics", "final_separability")
    below = [(run, sets) for run, sets in pairs if run.parameters["lambda"] <= 0.42]
    perfect = np.concatenate([(sets["limit"] == 1).to_numpy() for _, sets in below])
    yield Claim(
        "B1-perfect-below",
        "B1",
        _CONSTANT_LABEL,
        "For λ ≤ 0.42 the generalization accuracy tends to 1: at least 98 % of draws are not "
        "separable.",
        1.0,
        at_least(0.98),
        proportion_of(perfect),
        run_ids=[run.run_id for run, _ in below],
    )
    above = [(run, sets) for run, sets in pairs if run.parameters["lambda"] >= 0.57]
    deviations = [
        mean_of(sets["limit"].to_numpy(float) - _margin_accuracy(run)) for run, sets in above
    ]
    if deviations:
        worst = max(deviations, key=lambda each: abs(each.value))
        yield Claim(
            "B1-margin-accuracy",
            "B1",
            "Paper B, Sec. 3.3; curve ours",
            "For λ ≥ 0.57 the final accuracy is Φ(1/(σM)) with the large-size margin, within 0.03 "
            "(measured: the deviation furthest from 0).",
            0.0,
            near(0.0, 0.03),
            worst,
            run_ids=[run.run_id for run, _ in above],
        )
    reached = [
        (run, sets["limit"] - curves(run, "gen_accuracy")[1][: len(sets), -1])
        for run, sets in above
    ]
    if reached:
        gap = mean_of(np.concatenate([each for _, each in reached]))
        yield Claim(
            "B1-slow-approach",
            "B1",
            "Paper B, Fig. 1 (final accuracies from training)",
            f"When training ends, at t = {above[0][0].parameters['t_max']:.0e}, separable sets "
            "have reached their limiting accuracy, within 0.01 on average.",
            0.0,
            near(0.0, 0.01),
            gap,
            note="What is left closes only logarithmically in t, so that the limit itself is "
            "computed from the margin.",
            run_ids=[run.run_id for run, _ in above],
        )


def _of_censored(values: np.ndarray) -> Measurement:
    """Return the mean; where some never came, the median between the extremes of the draws."""
    if np.isfinite(values).all():
        return mean_of(values)
    middle = float(quantile(values, 0.5))
    return Measurement(middle, float(values.min()), float(values.max()), len(values))


def _margin_accuracy(run: RunResult) -> float:
    return float(margin.limit_gen_accuracy(run.parameters["lambda"], run.parameters["sigma"]))


@claims_of("B1")
def grokking_time_curve(evidence: Evidence) -> Iterator[Claim]:
    """Check the time of 95 % accuracy follows the large-size curve, and diverges at ½."""
    runs = [
        run for run in evidence.runs("final_dynamics") if 0.3 <= run.parameters["lambda"] < 0.46
    ]
    ratios = []
    for run in runs:
        steps, gen = curves(run, "gen_accuracy")
        log_times = np.log(first_crossing(steps, gen, evidence.threshold))
        predicted = float(
            large_size.log_time_to_accuracy(
                run.parameters["lambda"], run.parameters["eta"], evidence.threshold
            )
        )
        measured = median_of(log_times)
        edges = (measured.value, measured.low, measured.high)
        ratios.append(Measurement(*(each / predicted for each in edges), measured.n))
    if ratios:
        worst = max(ratios, key=lambda each: abs(np.log(each.value)))
        yield Claim(
            "B1-t95-curve",
            "B1",
            "ours (large-size limit)",
            f"From λ = 0.3 to 0.46 the median time of 95 % accuracy at N = "
            f"{runs[0].parameters['n_train']} is that of the large-size curve: log t within 10 % "
            "(measured: the ratio furthest from 1).",
            1.0,
            within(1.0, 0.1),
            worst,
            run_ids=[run.run_id for run in runs],
        )
    gap = np.geomspace(2e-4, 2e-3, 9)
    log_time = large_size.log_time_to_accuracy((1 - gap) / 2, 1.0, evidence.threshold)
    slope = -float(np.polyfit(np.log(gap), np.log(log_time), 1)[0])
    yield Claim(
        "B1-t95-divergence",
        "B1",
        "ours (large-size limit)",
        "For large N log t₉₅ diverges as (1-2λ)^(-½): the curve's exponent for 1-2λ from 2e-4 to "
        "2e-3 is ½ within 10 %.",
        0.5,
        within(0.5, 0.1),
        Measurement.exact(slope),
    )


@claims_of("B1")
def log_laws(evidence: Evidence) -> Iterator[Claim]:
    """Below ½ the bias falls as -log t; train and generalization accuracy separate."""
    below = [r.parameters["lambda"] for r in evidence.runs("dynamics")]
    nearest_below = max((value for value in below if value < CRITICAL), default=None)
    for run in evidence.runs("dynamics"):
        lambda_ = run.parameters["lambda"]
        steps, bias = curves(run, "bias")
        late = steps >= steps[-1] / 1e4
        slopes = [slope_of(np.log(steps[late]), each[late]).value for each in bias]
        if lambda_ < CRITICAL:
            yield Claim(
                f"B1-bias-slope-lambda-{lambda_:g}",
                "B1",
                _CONSTANT_LABEL,
                f"At λ = {lambda_:g} the bias ends as -log t: its slope over the last four decades "
                "is -1 within 10 %.",
                -1.0,
                within(-1.0, 0.1),
                mean_of(slopes),
                run_ids=[run.run_id],
            )
        train, gen = (
            first_crossing(steps, curves(run, name)[1], evidence.threshold)
            for name in ("train_accuracy", "gen_accuracy")
        )
        with np.errstate(invalid="ignore"):
            delay = np.log10(gen) - np.log10(train)
        if lambda_ == nearest_below:
            yield Claim(
                f"B1-delay-lambda-{lambda_:g}",
                "B1",
                "Paper B, Fig. 1",
                f"Just below the transition (λ = {lambda_:g}) generalization lags training by at "
                "least three decades in t.",
                np.nan,
                at_least(3.0),
                _of_censored(delay),
                run_ids=[run.run_id],
            )


@claims_of("B2")
def conformal_paths(evidence: Evidence) -> Iterator[Claim]:
    """Check that S(τ) with bias is the bias-free path."""
    for lambda_ in sorted(evidence.rows("conformal_path")["lambda"].unique()):
        given, free = (
            evidence.rows("conformal_path", series, lambda_=lambda_).sort_values("x")
            for series in ("with_bias", "without_bias")
        )
        given = given[(given["x"] >= 1.0) & (given["x"] <= free["x"].max())]
        free = free[free["x"] > 0]
        interpolated = np.interp(np.log(given["x"]), np.log(free["x"]), free["y"])
        worst = float(np.max(np.abs(given["y"] / interpolated - 1)))
        yield Claim(
            f"B2-conformal-lambda-{lambda_:g}",
            "B2",
            "Paper B, Sec. 3.3 (conformal time) and App. C",
            f"At λ = {lambda_:g} the exponential loss's S(τ) is the path without bias: ‖S‖ differs "
            "by at most 1 % at any τ, interpolation included (measured: the largest difference).",
            0.0,
            (0.0, 0.01),
            Measurement(worst, worst, worst, 1),
            run_ids=[
                run.run_id
                for run in evidence.runs("with_bias", "without_bias")
                if run.parameters["lambda"] == lambda_
            ],
        )


@claims_of("B2")
def separable_log_laws(evidence: Evidence) -> Iterator[Claim]:
    """Check the slopes of ‖S‖ and b in log t for separable sets."""
    for run, sets in pair_runs(evidence.runs("with_bias"), evidence.runs("separability")):
        rows = sets.rows("separability").sort_values("realization")
        margins = rows["margin"].to_numpy(float)[: run.realizations]
        kept = np.flatnonzero(~np.isnan(margins))
        lambda_ = run.parameters["lambda"]
        if lambda_ < CRITICAL or not len(kept):
            continue
        steps, norm, bias = curves(run, "weight_norm", "bias")
        last, half = -1, int(np.searchsorted(steps, np.sqrt(steps[-1])))
        decades = np.log(steps[last] / steps[half])
        for name, values, predicted in (
            ("weight", norm, margins / (1 + margins**2)),
            ("bias", bias, -1 / (1 + margins**2)),
        ):
            slope = (values[:, last] - values[:, half])[kept] / decades
            ratio = slope / predicted[kept]
            yield Claim(
                f"B2-log-slope-{name}-lambda-{lambda_:g}",
                "B2",
                "Paper B, Sec. 3.3",
                f"On a separable set (λ = {lambda_:g}) {'‖S‖' if name == 'weight' else 'b'} grows "
                f"as {'M/(1+M²)' if name == 'weight' else '-1/(1+M²)'} times log t: the slope from "
                f"t = {steps[half]:.0e} to {steps[last]:.0e} is that within 10 %.",
                1.0,
                within(1.0, 0.1),
                Measurement(*(float(f(ratio)) for f in (np.mean, np.min, np.max)), len(kept)),
                note="The corrections fall only with log t.",
                run_ids=[run.run_id, sets.run_id],
            )


@claims_of("B5")
def adam_plateau(evidence: Evidence) -> Iterator[Claim]:
    """With Adam the generalization accuracy first stays at chance."""
    for run in evidence.runs("dynamics"):
        steps, train, gen = curves(run, "train_accuracy", "gen_accuracy")
        perfect = first_crossing(steps, train, 0.6)
        leave = first_crossing(steps, gen, 0.6)
        yield Claim(
            "B5-plateau",
            "B5",
            "Paper B, App. B and Fig. 5",
            "With Adam the generalization accuracy stays at chance after the training accuracy has "
            "left it: it takes at least 3 times as many steps to reach 60 %.",
            np.nan,
            at_least(3.0),
            geometric_mean_of(leave / np.maximum(perfect, 1.0))
            if np.isfinite(leave).all() and np.isfinite(perfect).all()
            else Measurement(np.nan, -np.inf, np.inf, len(gen)),
            run_ids=[run.run_id],
        )


@claims_of("B9")
def scale_of_inputs(evidence: Evidence) -> Iterator[Claim]:
    """Log t₉₅ grows in proportion to σ: larger σ, later generalization."""
    runs = sorted(evidence.runs("dynamics"), key=lambda run: run.parameters["sigma"])
    sigma, log_times = [], []
    for run in runs:
        steps, gen = curves(run, "gen_accuracy")
        times = np.log(first_crossing(steps, gen, evidence.threshold))
        sigma.append(run.parameters["sigma"])
        log_times.append(times)
    n = min(len(each) for each in log_times)
    matrix = np.array([each[:n] for each in log_times])
    finite = np.isfinite(matrix).all(axis=1)
    if finite.sum() < 2:
        return
    first, last = np.flatnonzero(finite)[[0, -1]]
    yield Claim(
        "B9-sigma",
        "B9",
        "Paper B, App. F.1",
        f"Generalization needs more time the larger σ: t₉₅ at σ = {sigma[last]:g} is at least 10 "
        f"times that at σ = {sigma[first]:g}, on the same sets.",
        np.nan,
        at_least(10.0),
        geometric_mean_of(np.exp(matrix[last] - matrix[first])),
        run_ids=[run.run_id for run in runs],
    )


@claims_of("B10")
def adam_leaves_the_margin(evidence: Evidence) -> Iterator[Claim]:
    """On separable sets Adam does not end at the max-margin accuracy; below ½ it does end at 1."""
    for run, sets in _limits(evidence, "adam", "separability"):
        lambda_ = run.parameters["lambda"]
        _, gen = curves(run, "gen_accuracy")
        last = gen[: len(sets), -1]
        separable = sets["separable"].to_numpy(bool)
        if lambda_ > CRITICAL and separable.any():
            gap = np.abs(last - sets["limit"].to_numpy(float))[separable]
            yield Claim(
                f"B10-adam-margin-lambda-{lambda_:g}",
                "B10",
                "Paper B, App. F.2",
                f"At λ = {lambda_:g} Adam ends at another solution than the max-margin one: its "
                "accuracy on separable sets differs from Φ(1/(σM)) by at least 0.02.",
                np.nan,
                at_least(0.02),
                mean_of(gap),
                run_ids=[run.run_id],
            )
            yield Claim(
                f"B10-adam-imperfect-lambda-{lambda_:g}",
                "B10",
                "Paper B, App. F.2",
                f"At λ = {lambda_:g} Adam's accuracy on separable sets stays below 1 too (at most "
                "0.999).",
                np.nan,
                at_most(0.999),
                mean_of(last[separable]),
                run_ids=[run.run_id],
            )
        elif lambda_ < CRITICAL and (~separable).any():
            yield Claim(
                f"B10-adam-perfect-lambda-{lambda_:g}",
                "B10",
                "Paper B, App. F.2",
                f"At λ = {lambda_:g} Adam generalizes perfectly on sets that are not separable: "
                "the accuracy ends within 0.02 of 1.",
                1.0,
                near(1.0, 0.02),
                mean_of(last[~separable]),
                run_ids=[run.run_id],
            )


@claims_of("B11", "B12", "B13")
def same_end(evidence: Evidence) -> Iterator[Claim]:
    """Check initial conditions and loss change the way, not the end: ‖S‖ tends to ‖S_∞‖."""
    figure = evidence.figure
    key, words, source = {
        "B11": ("s0_norm", "From ‖S₀‖ = {:g}", "Paper B, App. F.3"),
        "B12": ("b0", "From b₀ = {:g}", "Paper B, App. F.3"),
        "B13": ("lambda", "At λ = {:g}, with the exponential loss", "Paper B, App. F.4"),
    }[figure]
    for run, sets in _limits(evidence, "dynamics", "separability"):
        kept = np.isfinite(sets["norm"].to_numpy(float))
        if not kept.any() or run.parameters["lambda"] >= CRITICAL:
            continue
        _, norm = curves(run, "weight_norm")
        ratio = norm[: len(sets), -1][kept] / sets["norm"].to_numpy(float)[kept]
        value = run.parameters[key]
        yield Claim(
            f"{figure}-end-{key}-{value:g}",
            figure,
            source,
            f"{words.format(value)}, ‖S‖ comes to the sets' ‖S_∞‖, the same whatever the start: "
            f"within 10 % at t = {run.parameters['t_max']:.0e} (measured: their ratio).",
            1.0,
            within(1.0, 0.1),
            geometric_mean_of(ratio),
            note="The last soft directions settle as a small power of t, the more slowly the "
            "closer λ is to ½.",
            run_ids=[run.run_id],
        )


@claims_of("B14")
def two_gaussians_limits(evidence: Evidence) -> Iterator[Claim]:
    """Check the final accuracy against the spread along the axis."""
    for run in evidence.runs("dynamics"):
        parameters = run.parameters
        predicted = float(
            two_gaussians.limit_gen_accuracy(
                lambda_=parameters["lambda"],
                **{key: parameters[key] for key in ("mu", "sigma", "sigma_a")},
            )
        )
        _, gen = curves(run, "gen_accuracy")
        yield Claim(
            f"B14-limit-sigma_a-{parameters['sigma_a']:g}",
            "B14",
            "Paper B, ICML Sec. 5 and Fig. 4; limit ours",
            f"With σ_A = {parameters['sigma_a']:g} the accuracy at t = {parameters['t_max']:.0e} "
            "is the large-size limit, within 0.02.",
            predicted,
            near(predicted, 0.02),
            mean_of(gen[:, -1]),
            note="Separable sets approach their limit only logarithmically in t.",
            run_ids=[run.run_id],
        )


@claims_of("B15")
def other_laws(evidence: Evidence) -> Iterator[Claim]:
    """Other symmetric laws show the same delay below ½."""
    for run in evidence.runs("dynamics"):
        lambda_, law = run.parameters["lambda"], run.parameters["law"]
        if lambda_ >= CRITICAL:
            continue
        steps, train, gen = curves(run, "train_accuracy", "gen_accuracy")
        later = first_crossing(steps, gen, evidence.threshold) > 2 * first_crossing(
            steps, train, evidence.threshold
        )
        yield Claim(
            f"B15-delay-{law}-lambda-{lambda_:g}",
            "B15",
            "Paper B, ICML App. G",
            f"{law.capitalize()} inputs at λ = {lambda_:g} grok too: generalization takes more "
            "than twice as long as training in at least 40 % of draws.",
            1.0,
            at_least(0.4),
            proportion_of(later),
            run_ids=[run.run_id],
        )


@claims_of("B16")
def label_fractions(evidence: Evidence) -> Iterator[Claim]:
    """Check the cap r, the threshold of separability with bias, and overfitting above it."""
    for run in evidence.runs("dynamics"):
        r, lambda_ = run.parameters["label_fraction"], run.parameters["lambda"]
        if r == 1:
            continue
        _, gen, train = curves(run, "gen_accuracy", "train_accuracy")
        best = gen.max(axis=1)
        yield Claim(
            f"B16-cap-r-{r:g}",
            "B16",
            "Paper B, Fig. 16; cap ours",
            f"With label fraction r = {r:g} the accuracy on fresh samples never exceeds r, by more "
            "than 0.005 (measured: the mean of the realizations' best).",
            r,
            at_most(r + 0.005),
            mean_of(best),
            run_ids=[run.run_id],
        )
        threshold = float(label_fraction.separability_threshold(r))
        if lambda_ <= threshold:
            continue
        yield Claim(
            f"B16-overfit-r-{r:g}",
            "B16",
            "ours",
            f"With r = {r:g} the sets are separable with bias above λ = {threshold:.3f}, so at "
            f"λ = {lambda_:g} training ends with every sample right: accuracy above 0.999.",
            1.0,
            at_least(0.999),
            Measurement(*[float(f(train[:, -1])) for f in (np.mean, np.min, np.max)], len(train)),
            run_ids=[run.run_id],
        )
        negative = label_fraction.limit_negative_fraction(lambda_, r, run.parameters["sigma"])
        limit = r * negative + (1 - r) * (1 - negative)
        yield Claim(
            f"B16-limit-r-{r:g}",
            "B16",
            "ours (large-size limit)",
            f"With r = {r:g} the accuracy on fresh samples ends at the large-size limit of the "
            f"separating direction, far below r: within 0.02 at t = {run.parameters['t_max']:.0e}.",
            limit,
            near(limit, 0.02),
            mean_of(gen[:, -1]),
            run_ids=[run.run_id],
        )


@claims_of("B17")
def finite_size_times(evidence: Evidence) -> Iterator[Claim]:
    """Check the median time of 95 % accuracy approaches the large-size curve as N grows."""
    runs = evidence.runs("dynamics")
    lambda_ = min(run.parameters["lambda"] for run in runs)
    chosen = [run for run in runs if run.parameters["lambda"] == lambda_]
    largest = max(chosen, key=lambda run: run.parameters["n_train"])
    steps, gen = curves(largest, "gen_accuracy")
    predicted = float(
        large_size.log_time_to_accuracy(lambda_, largest.parameters["eta"], evidence.threshold)
    )
    yield Claim(
        "B17-t95",
        "B17",
        "ours (large-size limit)",
        f"At λ = {lambda_:g} and the largest N = {largest.parameters['n_train']} the median of "
        "log t₉₅ is the large-size value, within 5 %.",
        predicted,
        within(predicted, 0.05),
        median_of(np.log(first_crossing(steps, gen, evidence.threshold))),
        run_ids=[largest.run_id],
    )
