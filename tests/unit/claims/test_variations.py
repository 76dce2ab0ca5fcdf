"""Claims of B9, B14 and B16 on synthetic runs: they see what is there, and what is not."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr, ndtri

from linear_grokking.claims import registry
from linear_grokking.results import scalars
from linear_grokking.results.identity import canonical, hashed
from linear_grokking.results.storage import write_frame

STEPS = np.concatenate([[0.0], np.geomspace(1.0, 1e9, 181)])
DRAWS = 5
SCATTER = 1.0 + 0.01 * np.arange(DRAWS)[:, np.newaxis]
OTHERS = ("B9-rising-loss-large", "B9-rising-loss-small", "B9-while-training")
"""Claims of other modules on these figures."""
SETS = {"n_train": 400, "law": "gaussian", "t_max": STEPS[-1]}


def written(root, name, rows, place, parameters):
    """Write rows of a run at a place that holds its ID, of which blocks must be made."""
    spec = {"run": name}
    run_id = hashed(spec, "0")
    path = root / "results" / place.format(run_id)
    write_frame(rows, path, spec=canonical(spec), provenance={"fingerprint": "0"})
    return {
        "run_id": run_id,
        "parameters": SETS | parameters,
        "seed": 0,
        "realizations": DRAWS,
        "made_of": run_id,
    }


def dynamics(root, name, parameters, **curves):
    """Write a run of given curves (R, T) or (T,), with its scalars."""
    found = {"train_loss": 1.0, "gen_loss": 1.0, "train_accuracy": 1.0, "gen_accuracy": 1.0}
    found |= {"weight_norm": 1.0, "bias": 0.0, **curves}
    shape = (DRAWS, len(STEPS))
    history = pd.DataFrame(
        {
            "realization": np.repeat(np.arange(DRAWS), len(STEPS)),
            "step": np.tile(STEPS, DRAWS),
            **{name: np.broadcast_to(values, shape).ravel() for name, values in found.items()},
        }
    )
    written(root, name, history, f"histories/{{}}/0-{DRAWS - 1}.parquet", parameters)
    rows = pd.DataFrame(scalars.of_dynamics(history, threshold=0.95, loss_threshold=1e-3))
    return written(root, name, rows, "scalars/{}.parquet", parameters)


def separability(root, lambda_, **columns):
    rows = pd.DataFrame({"realization": np.arange(DRAWS), "separable": lambda_ > 0.5, **columns})
    name = f"sets-{lambda_}"
    parameters = {"lambda": lambda_, "sigma": 1.0}
    return written(root, name, rows, "scalars/{}.parquet", parameters)


def claims_of(root, figure, **runs):
    request = {"figure": figure, "options": {}, "runs": runs}
    request |= {"threshold": 0.95, "loss_threshold": 1e-3}
    made = registry.collect(registry.Evidence(root, request, None))
    return {claim.id: claim for claim in made if claim.id not in OTHERS}


def verdicts(made):
    return {name: claim.verdict for name, claim in made.items()}


def arriving(time):
    """Accuracies that pass 95 % near a time, one draw after another."""
    return ndtr(ndtri(0.95) + np.log((STEPS + 1e-3) / time / SCATTER) / 5.0)


# ---- B9 ----


def b9(root, *, later=1e3, settling=4.0, shift=0.0, end=0.0):
    """Two σ at λ = 0.48 and one at 0.6, of which the claims hold with the given defaults."""
    norm, margin = 5.0, 0.1
    runs = []
    for sigma, time in ((1.0, 1e3), (10.0, 1e3 * later)):
        # b = -log(ηC_∞t) with the C_∞ of a settled S that arrives at this time.
        bias = np.log(time * SCATTER) - ndtri(0.95) * norm - np.log(STEPS + 1e-3) + shift
        size = norm / sigma * (0.2 if sigma == 1.0 else min(0.2 * settling, 1.0))
        shown = {"lambda": 0.48, "sigma": sigma}
        curves = {"gen_accuracy": arriving(time), "bias": bias, "weight_norm": size * SCATTER}
        runs.append(dynamics(root, f"sigma-{sigma}", shown, **curves))
    limit = ndtr(1.0 / (2.0**2 * margin))
    above = {"lambda": 0.6, "sigma": 2.0}
    runs.append(dynamics(root, "above", above, gen_accuracy=(limit + end) * SCATTER[::-1] / 1.04))
    sets = [
        separability(root, 0.48, s_inf_norm=norm, margin=np.nan),
        separability(root, 0.6, s_inf_norm=np.nan, margin=margin),
    ]
    return verdicts(claims_of(root, "B9", dynamics=runs, separability=sets))


def test_b9_of_what_it_states(tmp_path):
    found = b9(tmp_path)
    assert set(found) == {
        *("B9-sigma", "B9-settles-sooner", "B9-saturates", "B9-margin-lambda-0.6-sigma-2"),
    }
    assert set(found.values()) == {"confirmed"}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"later": 3.0}, "B9-sigma"),
        ({"settling": 1.5}, "B9-settles-sooner"),
        ({"shift": 1.0}, "B9-saturates"),
        ({"end": -0.2}, "B9-margin-lambda-0.6-sigma-2"),
    ],
)
def test_b9_of_something_else(tmp_path, change, name):
    found = b9(tmp_path, **change)
    assert {each for each, verdict in found.items() if verdict != "confirmed"} == {name}
    assert found[name] == "contradicted"


# ---- B14 ----


def b14(root, *, slower=1.05, end=None, turns=1.5):
    lengths = {"lambda": 0.4, "mu": 0.2, "sigma": 1.0}
    runs = []
    for spread, time in ((0.0, 2e4), (0.01, 2e4 * slower)):
        shown = lengths | {"sigma_a": spread}
        accuracy = np.minimum(arriving(time), 1.0)
        runs.append(dynamics(root, f"spread-{spread}", shown, gen_accuracy=accuracy))
    loss = np.where(STEPS > 1e6, turns, 1.0) * SCATTER
    accuracy = (0.82 if end is None else end) * SCATTER[::-1] / 1.02
    shown = lengths | {"sigma_a": 0.1}
    runs.append(dynamics(root, "spread-0.1", shown, gen_accuracy=accuracy, gen_loss=loss))
    return verdicts(claims_of(root, "B14", dynamics=runs))


def test_b14_of_what_it_states(tmp_path):
    found = b14(tmp_path)
    limits = {f"B14-limit-sigma_a-{spread:g}" for spread in (0.0, 0.01, 0.1)}
    others = {"B14-follows-sigma_a-0.01", "B14-below-one-sigma_a-0.1", "B14-turns-sigma_a-0.1"}
    assert set(found) == limits | others
    assert set(found.values()) == {"confirmed"}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"slower": 2.0}, {"B14-follows-sigma_a-0.01"}),
        ({"turns": 0.5}, {"B14-turns-sigma_a-0.1"}),
        ({"end": 1.02}, {"B14-limit-sigma_a-0.1", "B14-below-one-sigma_a-0.1"}),
    ],
)
def test_b14_of_something_else(tmp_path, change, names):
    found = b14(tmp_path, **change)
    assert {each for each, verdict in found.items() if verdict == "contradicted"} == names


# ---- B16 ----


def b16(root, *, end=0.7476, trained=1.0, train_time=300.0, rise=2.0):
    """r = 0.95 at λ = 0.48, σ = 5, labels by x₁ and at random."""
    shown = {"lambda": 0.48, "sigma": 5.0, "label_fraction": 0.95}
    # 95 % of the end comes at 1e4.
    rising = np.minimum(0.95 + 0.05 * np.log10((STEPS + 1e-3) / 1e4 / SCATTER), 1.0)
    spread = 1.0 + 0.1 * (SCATTER - SCATTER.mean())
    train = np.where(train_time * SCATTER < STEPS, trained, 0.5)
    loss = np.where(STEPS > 100, rise, 1.0) * SCATTER
    curves = {"train_accuracy": train, "gen_loss": loss}
    decided = dynamics(root, "decided", shown, gen_accuracy=end * rising * spread, **curves)
    accuracy = 0.707 * rising * spread
    random = dynamics(root, "random", shown, gen_accuracy=accuracy, **curves)
    return claims_of(root, "B16", dynamics=[decided], random=[random])


def test_b16_of_what_it_states(tmp_path):
    made = b16(tmp_path)
    assert {name.removesuffix("-r-0.95") for name in made} == {
        *("B16-separable", "B16-below-one", "B16-limit", "B16-delay", "B16-not-monotonic"),
        *("B16-random-overfit", "B16-random-limit"),
    }
    assert set(verdicts(made).values()) == {"confirmed"}
    # Of random labels the paper says nothing.
    for name, claim in made.items():
        if "random" in name:
            assert claim.source.states == "ours"
    assert made["B16-delay-r-0.95"].source.states == "B"


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"end": 1.0}, {"B16-below-one", "B16-limit"}),
        ({"end": 0.6}, {"B16-limit"}),
        ({"trained": 0.99}, {"B16-separable", "B16-random-overfit"}),
        ({"train_time": 5e3}, {"B16-delay"}),
        ({"rise": 0.5}, {"B16-not-monotonic"}),
    ],
)
def test_b16_of_something_else(tmp_path, change, names):
    found = verdicts(b16(tmp_path, **change))
    found = {name.removesuffix("-r-0.95"): verdict for name, verdict in found.items()}
    assert {each for each, verdict in found.items() if verdict == "contradicted"} == names
