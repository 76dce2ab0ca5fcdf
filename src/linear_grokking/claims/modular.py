"""Claims on addition modulo p: Fig. C1, an experiment without theory.

Paper B's App. B describes what Power et al. (2022) saw in such tasks, and compares its own results
with theirs.  These claims measure whether a small net trained for seconds shows the same.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from linear_grokking.claims.measuring import (
    at_times,
    geometric_mean_of,
    mean_of,
    of_shared_draws,
    proportion_of,
)
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, Disagreement, Undecidable, ours, paper_b
from linear_grokking.figures.c1 import BY_DECAY, BY_FRACTION, FRACTION, with_standard
from linear_grokking.results.reading import RunResult, by_value

_MEMORIZED = 0.7
"""Fraction up to which training is over well before generalization at the standard decay."""
_STRONGEST = 1.0
"""Largest γ whose time to generalize is compared with 1/γ: a stronger one delays training too."""


@claims_of(
    "C1",
    statement="The net groks: it generalizes long after training, from chance level.",
    source=paper_b("App. B (of Power et al. 2022)"),
)
def grokking(evidence: Evidence) -> Iterator[Claim]:
    """Compare the two times, and look at accuracy and loss in between, at the fraction ½."""
    for run in evidence.runs(*BY_FRACTION, keep=lambda p: p[FRACTION] == 0.5):
        [t_train] = _reached([run], "t_train")
        [t_gen] = of_shared_draws([run], "t_gen")
        steps, loss = run.curves("gen_loss")
        yield Claim(
            "C1-grokking",
            "With half of all pairs in the training set, a net that learns addition modulo p takes "
            f"at least 5 times as many steps to {evidence.percent} generalization accuracy as to "
            f"{evidence.percent} training accuracy.",
            geometric_mean_of(t_gen / t_train, run).at_least(5.0),
        )
        at_training = at_times(run, "gen_accuracy", t_train)
        yield Claim(
            "C1-chance",
            "With half of all pairs in the training set, the generalization accuracy in addition "
            "modulo p is still at chance level, 1/p, or below when the training accuracy reaches "
            f"{evidence.percent}: at most 2/p (measured in units of 1/p).",
            mean_of(at_training * run.parameters["p"], run).at_most(2.0, 1.0),
        )
        rise = [
            each[late].max() / each[~late].min()
            for each, late in ((each, steps > t) for each, t in zip(loss, t_train, strict=True))
        ]
        yield Claim(
            "C1-loss-rises",
            "With half of all pairs in the training set, the generalization loss in addition "
            f"modulo p is not monotonic: after {evidence.percent} training accuracy it rises to at "
            "least 1.1 times its minimum before.",
            geometric_mean_of(rise, run).at_least(1.1),
        )


@claims_of(
    "C1",
    statement="There is a critical fraction of pairs in the training set, near which the dynamics "
    "are slow.",
    source=paper_b("App. B (of Power et al. 2022); numbers ours"),
)
def critical_fraction(evidence: Evidence) -> Iterator[Claim]:
    """Count the nets that generalize at the smallest fraction and from 0.5 on; compare times."""
    runs = sorted(evidence.runs(*BY_FRACTION), key=lambda run: run.parameters[FRACTION])
    lowest = runs[0]
    yield Claim(
        "C1-none-below",
        f"With a fraction {lowest.parameters[FRACTION]:g} of all pairs in the training set, no net "
        f"reaches {evidence.percent} generalization accuracy in addition modulo p within "
        f"{lowest.parameters['t_max']:g} steps: the share of draws that do is at most 0.4.",
        proportion_of(np.isfinite(lowest.scalars["t_gen"]), lowest).at_most(0.4, 0.0),
        note="A longer run may end differently: what a net does for t → ∞ is not known.",
    )
    dense = [run for run in runs if run.parameters[FRACTION] >= 0.5]
    if len(dense) < 2:
        raise Undecidable("fewer than two fractions of 0.5 or more have runs")
    # Larger training sets of a draw contain the smaller ones: a draw counts once.
    reached = np.isfinite(of_shared_draws(dense, "t_gen")).all(axis=0)
    yield Claim(
        "C1-all-above",
        "With half of all pairs or more in the training set, every net reaches "
        f"{evidence.percent} generalization accuracy in addition modulo p: the share of draws that "
        "do at every such fraction is at least 0.8.",
        proportion_of(reached, *dense).at_least(0.8, 1.0),
    )
    slow, fast = _near(runs, 0.45), _near(runs, 0.7)
    later, earlier = _reached([slow, fast], "t_gen")
    yield Claim(
        "C1-slow-near",
        "Near the critical fraction the dynamics of addition modulo p are slow: with a fraction "
        "0.45 of all pairs in the training set generalization takes at least 3 times as long as "
        "with 0.7.",
        geometric_mean_of(later / earlier, slow, fast).at_least(3.0),
    )


@claims_of(
    "C1",
    statement="The training time depends little on the fraction of pairs in the training set.",
    source=ours("an experiment"),
)
def training_times(evidence: Evidence) -> Iterator[Claim]:
    """Compare the largest and smallest time, and take the slope, up to the fraction 0.7."""
    runs = evidence.runs(*BY_FRACTION, keep=lambda p: p[FRACTION] <= _MEMORIZED)
    if len(runs) < 3:
        raise Undecidable(f"fewer than three fractions up to {_MEMORIZED:g}")
    fractions = [run.parameters[FRACTION] for run in runs]
    between = f"between the fractions {min(fractions):g} and {max(fractions):g}"
    times = _reached(runs, "t_train")
    yield Claim(
        "C1-training-independent",
        f"In addition modulo p the time of {evidence.percent} training accuracy does not depend on "
        f"the fraction of pairs in the training set: {between} the longest time is at most 1.5 "
        "times the shortest.",
        geometric_mean_of(times.max(axis=0) / times.min(axis=0), *runs).at_most(1.5, 1.0),
        note="The training time grows with the number of pairs to be memorized.",
        otherwise=Disagreement.CONJECTURE,
    )
    yield Claim(
        "C1-training-proportional",
        f"In addition modulo p the time of {evidence.percent} training accuracy is proportional to "
        f"the number of pairs in the training set: {between} its logarithmic slope is 1 ± 0.25.",
        mean_of(_slopes(np.log(fractions), np.log(times)), *runs).near(1.0, 0.25),
    )


@claims_of(
    "C1",
    statement="The time to generalize is proportional to 1/(ηγ).",
    source=ours("an experiment; as null directions under weight decay, A3"),
)
def decay_law(evidence: Evidence) -> Iterator[Claim]:
    """Take the time's slope in the weight decay, and compare pairs (η, γ) of the same product."""
    runs = with_standard(evidence.runs(*BY_FRACTION), evidence.runs(*BY_DECAY))
    standard = evidence.runs(*BY_FRACTION)[0].parameters["eta"]
    by_decay = [run for run in runs if run.parameters["eta"] == standard]
    for fraction, some in sorted(by_value(by_decay, FRACTION).items()):
        weak = [run for run in some if run.parameters["gamma"] <= _STRONGEST]
        if len(weak) < 3:
            continue
        gammas = [run.parameters["gamma"] for run in weak]
        slopes = _slopes(np.log(gammas), np.log(_if_reached(weak, "t_gen")))
        yield Claim(
            f"C1-decay-slope-fraction-{fraction:g}",
            f"In addition modulo p, with a fraction {fraction:g} of all pairs in the training set, "
            f"the time of {evidence.percent} generalization accuracy is ∝ 1/γ, γ the weight decay: "
            f"its logarithmic slope for γ between {min(gammas):g} and {max(gammas):g} is -1 ± 0.1.",
            mean_of(slopes, *weak).near(-1.0, 0.1),
            note="The law 1/γ holds near the critical fraction; with more pairs the slope differs.",
            otherwise=Disagreement.CONJECTURE,
        )
    for other, run in _of_one_product(runs, standard):
        first, second = _if_reached([other, run], "t_gen")
        eta, gamma = other.parameters["eta"], run.parameters["gamma"]
        yield Claim(
            f"C1-product-eta-{eta:g}",
            "In addition modulo p the generalization time depends on learning rate and weight "
            f"decay only through ηγ: (η, γ) = ({eta:g}, {other.parameters['gamma']:g}) takes as "
            f"many steps as ({standard:g}, {gamma:g}), within 30 % (measured: their ratio).",
            geometric_mean_of(first / second, other, run).within(1.0, 0.3),
        )


def _near(runs: Sequence[RunResult], fraction: float) -> RunResult:
    """Return the run at a training fraction."""
    for run in runs:
        if run.parameters[FRACTION] == fraction:
            return run
    raise Undecidable(f"no run has the fraction {fraction:g}")


def _of_one_product(
    runs: Sequence[RunResult], standard: float
) -> Iterator[tuple[RunResult, RunResult]]:
    """Yield runs at other learning rates, each with the run of equal ηγ at the standard rate."""
    for other in runs:
        eta, fraction = other.parameters["eta"], other.parameters[FRACTION]
        gamma = eta * other.parameters["gamma"] / standard
        for run in runs if eta != standard else []:
            own = run.parameters
            same = own["eta"] == standard and np.isclose(own["gamma"], gamma)
            same &= own["gamma"] <= _STRONGEST
            if same and own[FRACTION] == fraction:
                yield other, run


def _reached(runs: Sequence[RunResult], time: str) -> np.ndarray:
    """Return a time (runs, R) of the draws that all runs share; all must have reached it."""
    times = _if_reached(runs, time)
    if np.isnan(times).any():
        raise Undecidable(f"not every draw reaches {time}")
    return times


def _if_reached(runs: Sequence[RunResult], time: str) -> np.ndarray:
    """Return a time (runs, R) of the draws that all runs share, NaN where it was not reached.

    A measurement from such values has no interval, so that its claim is undecided.
    """
    times = of_shared_draws(runs, time)
    return np.where(np.isfinite(times), times, np.nan)


def _slopes(x: Sequence[float] | np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the slopes (R,) of straight lines through y (n, R) at x (n,)."""
    centred = np.asarray(x, float) - np.mean(x)
    return centred @ y / (centred @ centred)
