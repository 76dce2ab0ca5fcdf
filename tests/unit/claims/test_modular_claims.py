"""Claims of C1 on made-up nets: they see what is there, and what is not."""

from functools import partial

import numpy as np
import pytest
from drawn_runs import DrawnEvidence, DrawnRun

from linear_grokking.claims import registry

STEPS = np.concatenate([[0.0], np.geomspace(1.0, 2e4, 400)])
DRAWS = 16
SCATTER = np.exp(0.02 * np.linspace(-1, 1, DRAWS))


def net(fraction, *, eta=0.01, gamma=1.0, t_gen=None, t_train=None, rise=1.5, chance=0.02):
    """Return a run whose accuracies jump at given times, and whose loss rises in between."""
    t_train = 100 * fraction if t_train is None else t_train
    t_gen = 1e-2 / (eta * gamma) * 600 * (0.5 / fraction) ** 4 if t_gen is None else t_gen
    t_train, t_gen = t_train * SCATTER[:, None], t_gen * SCATTER[::-1, None]
    loss = np.where(t_train > STEPS, 0.1, np.where(t_gen > STEPS, 0.1 * rise, 1e-3))
    curves = {
        "gen_accuracy": np.where(t_gen > STEPS, chance, 1.0),
        "gen_loss": np.where(STEPS == 0, 1.0, loss),
    }
    scalars = {"t_train": t_train[:, 0], "t_gen": np.where(t_gen[:, 0] > 2e4, np.inf, t_gen[:, 0])}
    sizes = {"train_fraction": fraction, "eta": eta, "gamma": gamma, "t_max": 2e4, "p": 23}
    return DrawnRun(sizes, scalars, STEPS, **curves)


def verdicts(**changes):
    """Return the verdicts of all claims, with runs of some roles replaced."""
    by_fraction = changes.pop("net", net)
    runs = {
        "sparse": [by_fraction(0.3, t_gen=np.inf)],
        "near": [by_fraction(0.45), by_fraction(0.5)],
        "dense": [by_fraction(0.6), by_fraction(0.7), by_fraction(0.8)],
        "weak_decay": [net(0.5, gamma=0.1)],
        "decay": [net(0.5, gamma=0.25)],
        "strong_decay": [net(0.5, gamma=2)],
        "rates": [net(0.5, eta=0.0025), net(0.5, eta=0.02)],
    }
    made = registry.collect(DrawnEvidence("C1", **{**runs, **changes}))
    return {claim.id.removeprefix("C1-"): claim.verdict for claim in made}


TRUE = {
    "grokking",
    "chance",
    "loss-rises",
    "none-below",
    "all-above",
    "slow-near",
    "training-proportional",
    "decay-slope-fraction-0.5",
    "product-eta-0.0025",
}


def test_claims_hold_of_nets_that_do_as_they_say():
    found = verdicts()
    assert found.pop("training-independent") == "contradicted"  # it is proportional here
    assert found == dict.fromkeys(TRUE, "confirmed")


@pytest.mark.parametrize(
    ("changed", "other"),
    [
        ({"t_gen": 100.0}, {"grokking", "slow-near"}),
        ({"chance": 0.3}, {"chance"}),
        ({"rise": 1.05}, {"loss-rises"}),
        ({"t_train": 50.0}, {"training-proportional"}),
    ],
)
def test_each_claim_sees_nets_that_do_otherwise(changed, other):
    found = verdicts(net=partial_but(changed))
    assert {name for name in TRUE if found[name] == "contradicted"} >= other


def partial_but(changed):
    """Return nets with changes, but for times to generalize that a call gives."""
    return lambda fraction, **own: net(fraction, **{**changed, **own})


def test_a_training_that_does_not_know_the_fraction_is_seen():
    assert verdicts(net=partial(net, t_train=50.0))["training-independent"] == "confirmed"


def test_what_generalizes_everywhere_has_no_critical_fraction():
    assert verdicts(sparse=[net(0.3)])["none-below"] == "contradicted"
    never = [net(0.6, t_gen=np.inf), net(0.7), net(0.8, t_gen=np.inf)]
    assert verdicts(dense=never)["all-above"] == "contradicted"
    # A draw that fails at one fraction has failed: its nets have pairs and weights in common.
    many = [net(fraction) for fraction in np.linspace(0.6, 0.9, 12)]
    many[0].scalars.loc[0, "t_gen"] = np.inf
    assert verdicts(dense=many)["all-above"] == "undecided"


def test_another_law_of_the_decay_is_seen():
    flat = {"weak_decay": [net(0.5, gamma=0.1, t_gen=600 * 10**0.7)]}
    assert verdicts(**flat)["decay-slope-fraction-0.5"] == "contradicted"
    # A decay above 1 may do otherwise.
    strong = {"strong_decay": [net(0.5, gamma=2, t_gen=5000)]}
    assert verdicts(**strong)["decay-slope-fraction-0.5"] == "confirmed"
    other = {"rates": [net(0.5, eta=0.0025, t_gen=1500)]}
    assert verdicts(**other)["product-eta-0.0025"] == "contradicted"


def test_claims_on_times_that_were_not_reached_are_undecided():
    found = verdicts(near=[net(0.45, t_gen=np.inf), net(0.5)])
    assert found["critical-fraction"] == "undecided"


def test_a_time_that_was_not_reached_leaves_other_fractions_alone():
    """The first fraction in the loop has a run that ends too soon; so has one of its products."""
    decays = {
        "weak_decay": [net(0.45, gamma=0.1, t_gen=np.inf), net(0.5, gamma=0.1)],
        "decay": [net(0.45, gamma=0.25), net(0.5, gamma=0.25)],
        "rates": [net(0.5, eta=0.0025), net(0.45, eta=0.001)],
    }
    found = verdicts(**decays)
    assert found["decay-slope-fraction-0.45"] == "undecided"
    assert found["product-eta-0.001"] == "undecided"
    assert found["decay-slope-fraction-0.5"] == "confirmed"
    assert found["product-eta-0.0025"] == "confirmed"
