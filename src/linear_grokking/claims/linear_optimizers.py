"""Claims on other optimizers of one-layer linear regression: Fig. A8."""

from collections.abc import Iterator

import numpy as np

from linear_grokking.claims.measuring import furthest, geometric_mean_of, mean_of, of_shared_draws
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, Undecidable, ours
from linear_grokking.figures import style
from linear_grokking.figures.a8 import SERIES, losses_of, times_of
from linear_grokking.results.reading import RunResult
from linear_grokking.theory.linear_optimizers import least_gen_loss

THEORY = "docs/theory.md, Other optimizers"
_NAMES = {
    "larger_rate": "Gradient descent with a larger learning rate",
    "momentum": "Momentum β = {momentum:g}",
    "nesterov": "Nesterov's momentum β = {momentum:g}",
    "grokfast": "Grokfast with κ = {grokfast_lamb:g}",
    "tuned": "Momentum β = λ",
    "conjugate_gradients": "Conjugate gradients",
}
GROKFAST = ours(f"{THEORY}; the method: Lee et al. 2024, arXiv 2405.20233")


@claims_of(
    "A8",
    statement="The times of each method follow from its polynomial on the Marchenko–Pastur law.",
    source=ours(THEORY),
)
def times_follow_theory(evidence: Evidence) -> Iterator[Claim]:
    """Compare times with theory, in units of plain descent's and, for fast methods, directly."""
    for role, name in _NAMES.items():
        run = max(evidence.runs(role), key=lambda run: run.parameters["lambda"])
        plain = _plain(evidence, run)
        theory = [times_of(each, evidence.threshold) for each in (run, plain)]
        for series, quantity in SERIES.items():
            measured = of_shared_draws([run, plain], quantity)
            factor = theory[1][series] / theory[0][series]
            # Fast methods' times depend on other modes than plain descent's, so that the two do
            # not scatter together.
            tolerance = 0.3 if role in ("tuned", "conjugate_gradients") else 0.05
            rate = f"η = {run.parameters['eta']:g}, " if "eta" in run.parameters else ""
            yield Claim(
                f"A8-{series}-sooner-{role.replace('_', '-')}",
                f"{name.format_map(run.parameters)} ({rate}λ = {run.parameters['lambda']:g}): "
                f"{evidence.percent} {style.NAMES[series]} accuracy is reached earlier than by "
                f"gradient descent with η = {plain.parameters['eta']:g}, by the formulas' factor "
                f"{factor:.3g} within {100 * tolerance:.0f} % (on the same draws; tolerance ours).",
                geometric_mean_of(measured[1] / measured[0], run, plain).within(factor, tolerance),
            )
    for role in ("tuned", "conjugate_gradients"):
        for run in evidence.runs(role):
            theory = times_of(run, evidence.threshold)
            ratios = [
                geometric_mean_of(run.scalars[quantity] / theory[series], run)
                for series, quantity in SERIES.items()
            ]
            name, lambda_ = _NAMES[role], run.parameters["lambda"]
            yield Claim(
                f"A8-times-{role.replace('_', '-')}-lambda-{lambda_:g}",
                f"{name} at λ = {lambda_:g}: {evidence.percent} training and generalization "
                "accuracy are reached at the times that the formulas give, within 15 % (measured: "
                "the ratio further from 1; tolerance ours).",
                furthest(ratios).within(1.0, 0.15),
            )


def _plain(evidence: Evidence, run: RunResult) -> RunResult:
    """Return the run of plain gradient descent at another run's λ."""
    lambda_ = run.parameters["lambda"]
    return evidence.runs("gradient_descent", keep=lambda p: p["lambda"] == lambda_)[0]


@claims_of(
    "A8",
    statement="With momentum β = λ training accuracy is reached after generalization accuracy.",
    source=ours(f"{THEORY}; Polyak 1964, Pedregosa and Scieur 2020"),
)
def no_delay(evidence: Evidence) -> Iterator[Claim]:
    """Compare the two losses in the first steps, and the two times."""
    for run in evidence.runs("tuned"):
        lambda_ = run.parameters["lambda"]
        steps, train, gen = run.curves("train_loss", "gen_loss")
        early = (steps >= 1) & (steps <= 6)
        ratios = np.exp(np.mean(np.log(train[:, early] / gen[:, early]), axis=1))
        theory = losses_of(run, steps[early])
        yield Claim(
            f"A8-losses-lambda-{lambda_:g}",
            f"With momentum β = λ = {lambda_:g} the training loss lies above the generalization "
            "loss, by the formulas' factor (1 + λ at Polyak's rate η = ½), within 15 % (measured: "
            "geometric mean of their ratio over steps 1 to 6; tolerance ours).",
            geometric_mean_of(ratios, run).within(
                float(np.exp(np.mean(np.log(theory.train / theory.gen)))), 0.15
            ),
        )
        ahead = run.scalars["t_gen"] / run.scalars["t_train"]
        yield Claim(
            f"A8-no-delay-lambda-{lambda_:g}",
            f"With momentum β = λ = {lambda_:g} there is no delay: the generalization accuracy "
            f"reaches {evidence.percent} no later than the training accuracy (measured: ratio of "
            "the times).",
            geometric_mean_of(ahead, run).at_most(1.0),
        )


@claims_of(
    "A8",
    statement="Delays depend on the optimizer: conjugate gradients train before they generalize.",
    source=ours(THEORY),
)
def conjugate_gradients_grok(evidence: Evidence) -> Iterator[Claim]:
    """Compare the two times at the largest λ."""
    run = max(evidence.runs("conjugate_gradients"), key=lambda run: run.parameters["lambda"])
    theory = times_of(run, evidence.threshold)
    expected = theory["generalization"] / theory["train"]
    yield Claim(
        "A8-conjugate-gradients-grok",
        f"With conjugate gradients at λ = {run.parameters['lambda']:g} generalization comes later "
        f"than training, by the formulas' factor within 20 % (measured: ratio of the times of "
        f"{evidence.percent} accuracy; tolerance ours).",
        geometric_mean_of(run.scalars["t_gen"] / run.scalars["t_train"], run).within(expected, 0.2),
    )


@claims_of(
    "A8",
    statement="No method whose iterates lie in the span of past gradients generalizes faster than "
    "the bound.",
    source=ours(f"{THEORY}, large size"),
)
def nothing_is_faster(evidence: Evidence) -> Iterator[Claim]:
    """Compare median losses with the bound, before only the last modes are left."""
    for run in evidence.runs("conjugate_gradients"):
        lambda_ = run.parameters["lambda"]
        steps, gen = run.curves("gen_loss")
        ratios = gen / least_gen_loss(steps, lambda_)
        early = ratios[:, (steps >= 1) & (np.median(gen, axis=0) > 1e-2)]
        closest = np.argmin(np.median(early, axis=0))
        yield Claim(
            f"A8-speed-limit-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} no method in the span of past gradients beats the large-size "
            "lower bound on the generalization loss: the loss of the fastest, conjugate gradients, "
            "stays above it while it exceeds 0.01 (measured: ratio where they are closest; 5 % "
            "allowed for finite size).",
            geometric_mean_of(early[:, closest], run).at_least(0.95),
        )


@claims_of(
    "A8",
    statement="Grokfast has the effect of a 1 + κ times larger learning rate.",
    source=GROKFAST,
)
def grokfast_is_a_larger_rate(evidence: Evidence) -> Iterator[Claim]:
    """Compare times of generalization, draw by draw."""
    (fast,) = evidence.runs("grokfast")
    factor = 1.0 + fast.parameters["grokfast_lamb"]
    plain = _plain(evidence, fast)
    pair = of_shared_draws([fast, plain], "t_gen")
    yield Claim(
        "A8-grokfast-factor",
        f"Grokfast with κ = {factor - 1:g} generalizes 1 + κ = {factor:g} times earlier than "
        "gradient descent at the same learning rate, within 3 % (tolerance ours).",
        geometric_mean_of(pair[1] / pair[0], fast, plain).within(factor, 0.03),
    )
    larger, *others = evidence.runs("larger_rate")
    if others or not np.isclose(larger.parameters["eta"], factor * fast.parameters["eta"]):
        raise Undecidable(f"no single plain run has a learning rate {factor:g} times larger")
    pair = of_shared_draws([fast, larger], "t_gen")
    yield Claim(
        "A8-grokfast-helps",
        f"Grokfast with κ = {factor - 1:g} helps more than a larger learning rate: "
        f"generalization comes at least 5 % earlier than for gradient descent at a {factor:g} "
        "times larger rate.",
        geometric_mean_of(pair[1] / pair[0], fast, larger).at_least(1.05),
        note="There is no gain as long as gradient descent at the larger rate is stable; "
        "Grokfast reaches its limit of stability at an effective rate, (1 + κ)η, about 1 + κ "
        "times larger.",
    )


@claims_of(
    "A8",
    statement="The generalization time grows as (1 - λ)⁻² for gradient descent, and as (1 - λ)⁻¹ "
    "for momentum β = λ.",
    source=ours(THEORY),
)
def exponents(evidence: Evidence) -> Iterator[Claim]:
    """Compare the growth between the two largest λ with the formulas', draw by draw."""
    for role, tolerance in (("gradient_descent", 0.3), ("tuned", 0.1)):
        runs = sorted(evidence.runs(role), key=lambda run: run.parameters["lambda"])[-2:]
        if len(runs) < 2:
            raise Undecidable(f"the runs of {role} have one λ")
        far, near = of_shared_draws(runs, "t_gen")
        distance = [1.0 - run.parameters["lambda"] for run in runs]
        scale = np.log(distance[0] / distance[1])
        expected = [times_of(run, evidence.threshold)["generalization"] for run in runs]
        name = "momentum β = λ" if role == "tuned" else role.replace("_", " ")
        yield Claim(
            f"A8-exponent-{role.replace('_', '-')}",
            f"Between λ = {1 - distance[0]:g} and {1 - distance[1]:g} the generalization time of "
            f"{name} grows as a power of 1/(1 - λ), with the formulas' local exponent (which "
            f"tends to {2 if role == 'gradient_descent' else 1} at λ = 1) within {tolerance:g} "
            "(tolerance ours).",
            mean_of(np.log(near / far) / scale, *runs).near(
                float(np.log(expected[1] / expected[0]) / scale), tolerance
            ),
        )


@claims_of(
    "A8",
    statement="Mini-batches delay training, and do not make generalization earlier.",
    source=ours("docs/theory.md, Mini-batches; Paquette et al. 2021"),
)
def batches(evidence: Evidence) -> Iterator[Claim]:
    """Compare the smallest batch with the full one and with the recursion."""
    runs = sorted(evidence.runs("mini_batches"), key=lambda run: run.parameters["batch_size"])
    small, lambda_ = runs[0], runs[0].parameters["lambda"]
    size = small.parameters["batch_size"]
    steps, train, gen = small.curves("train_loss", "gen_loss")
    expected = losses_of(small, steps)
    middle = (steps >= 30) & (steps <= 300)
    for name, word, found, theory in (
        ("train", "training", train, expected.train),
        ("gen", "generalization", gen, expected.gen),
    ):
        ratios = np.exp(np.mean(np.log(found[:, middle] / theory[middle]), axis=1))
        yield Claim(
            f"A8-batches-{name}-loss",
            f"With batches of {size} samples (λ = {lambda_:g}) the {word} loss follows the "
            "recursion for the modes' second moments: measured over predicted loss is 1 within "
            "15 % on (geometric) average over steps 30 to 300 (tolerance ours).",
            geometric_mean_of(ratios, small).within(1.0, 0.15),
        )
    full = _plain(evidence, small)
    theory = [times_of(run, evidence.threshold) for run in (small, full)]
    trained = of_shared_draws([small, full], "t_train")
    yield Claim(
        "A8-batches-train-later",
        f"With batches of B = {size} samples (λ = {lambda_:g}) the time of {evidence.percent} "
        "training accuracy is longer than with full batches by the factor of the recursion, "
        "within 15 % (tolerance ours).",
        geometric_mean_of(trained[0] / trained[1], small, full).within(
            theory[0]["train"] / theory[1]["train"], 0.15
        ),
    )
    generalized = of_shared_draws([small, full], "t_gen")
    yield Claim(
        "A8-batches-generalize-no-earlier",
        f"With batches of B = {size} samples (λ = {lambda_:g}) the time of {evidence.percent} "
        "generalization accuracy is not shorter than with full batches, within 2 % (tolerance "
        "ours).",
        geometric_mean_of(generalized[0] / generalized[1], small, full).at_least(0.98),
    )
