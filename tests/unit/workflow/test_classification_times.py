"""Predicted times of logistic classification from other starts, laws, rates and decays."""

import numpy as np
import pytest
from scipy.special import ndtr

from linear_grokking.jobs.kinds import kind_of
from linear_grokking.results.crossings import first_crossing
from linear_grokking.runtime.checkpoints import NoCheckpoint
from linear_grokking.runtime.context import JobContext
from linear_grokking.theory import adam_limit, elliptical, large_size, logistic_weight_decay
from linear_grokking.workflow.predict import predict as everything
from linear_grokking.workflow.predict.classification_times import ABOVE_HALF, BELOW_HALF, gen_time
from linear_grokking.workflow.predict.options import spec_of
from linear_grokking.workflow.predict.times import predicted_times

DECAY = {"weight_decay": 1e-3, "decay": "weights"}
RADIUS = {"law": "elliptical", "radius_ratio": 3, "far_share": 0.2}
ADAM = {"solver": "adam", "lr": 2e-3, "beta1": 0.8, "beta2": 0.9}


def run(options, draw=0):
    """The steps and the accuracies on fresh data of a run."""
    spec = spec_of("logistic", {"n_train": 200, "sigma": 5, **options})
    context = JobContext(device="cpu", threads=1, checkpoint=lambda _: NoCheckpoint())
    ((_, columns),) = kind_of(spec).compute(spec, [draw], context)
    return columns["step"], columns["gen_accuracy"]


def predicted(options, accuracy=0.95):
    return predicted_times(spec_of("logistic", {"n_train": 200, "sigma": 5, **options}), accuracy)


@pytest.mark.parametrize(
    "options",
    [
        {"lambda": 0.44},
        {"lambda": 0.6},
        {"lambda": 0.6, **DECAY},
        {"lambda": 0.4, **ADAM},
        {"lambda": 0.4, "weight_decay": 0.1},
        {"lambda": 0.4, **RADIUS},
    ],
)
@pytest.mark.parametrize("b0", [-2.0, -0.4])
def test_a_start_at_the_accuracy_is_time_zero_whatever_comes_then(options, b0):
    """From b0 = -2 outputs begin four deviations below 0, from -0.4 less than one."""
    steps, accuracies = run({**options, "b0": b0, "n_epochs": 10})
    assert steps[0] == 0
    for level in (0.7, 0.95):
        found = predicted({**options, "b0": b0}, level)
        assert (found.gen_time == 0.0) is bool(accuracies[0] >= level)
    assert "at the start" in predicted({**options, "b0": -2.0}).source


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lambda": 0.4, "s0_norm": 100}, "|b0| <= 1 and s0_norm <= 1.2"),
        ({"lambda": 0.4, "b0": 10}, "initial values are too far from 0"),
        ({"lambda": 0.4, "b0": -2, "s0_norm": 0.5}, "initial values are too far from 0"),
        ({"lambda": 0.75, "b0": 5, **DECAY}, "initial values are too far from 0"),
        ({"lambda": 0.75, "s0_norm": 100, **DECAY}, "initial values are too far from 0"),
        ({"lambda": 0.4, "s0_norm": 100, **ADAM}, "s0_norm is so large"),
        ({"lambda": 0.4, "b0": -4, "s0_norm": 1, **ADAM}, "s0_norm is so large"),
        ({"lambda": 0.6, "b0": -2, "s0_norm": 0.3}, "may exceed it on the way"),
        ({"lambda": 0.4, "b0": -4, "s0_norm": 1, "weight_decay": 0.1}, "may exceed it on the way"),
    ],
)
def test_far_starts_get_words_and_no_time(options, words):
    found = predicted(options)
    assert found.gen_time is None and words in found.source


def test_what_is_said_to_be_passed_on_the_way_is():
    for draw in range(3):
        _, accuracies = run({"lambda": 0.6, "b0": -2, "s0_norm": 0.3, "n_epochs": 1e5}, draw)
        assert accuracies[0] < 0.95 < accuracies.max() and accuracies[-1] < 0.75


@pytest.mark.parametrize("start", [{"b0": 0.5}, {"s0_norm": 1.2}, {"b0": -0.8, "s0_norm": 0.3}])
def test_near_starts_hardly_matter(start):
    options = {"lambda": 0.4, "n_epochs": 1e7}
    for draw in (0, 1):
        plain, other = (
            first_crossing(*run(each, draw), 0.95) for each in (options, options | start)
        )
        assert other == pytest.approx(plain, rel=0.2)
    assert predicted(options | start).gen_time == predicted(options).gen_time > 0


@pytest.mark.parametrize("b0", [3.0, -2.0])
def test_adams_bias_falls_from_where_it_starts(b0):
    options = {"lambda": 0.4, "n_epochs": 8000, "s0_norm": 0.5, "records": 400, **ADAM}
    plain, other = (first_crossing(*run({**options, "b0": b}), 0.95) for b in (0.0, b0))
    away = b0 / float(adam_limit.bias_speed(2e-3, 0.8, 0.9))
    assert other - plain == pytest.approx(away, rel=0.03)
    shift = predicted({**options, "b0": b0}).gen_time - predicted(options).gen_time
    assert shift == pytest.approx(away, rel=1e-9)


def test_rates_matter_whatever_the_law():
    long = {"lambda": 0.4, "sigma": 10, "lr": 1, "n_test": 10, "solver": "gradient_descent"}
    for law in ("gaussian", "rademacher", "uniform"):
        found = predicted({**long, "law": law})
        assert found.gen_time is None and found.source.endswith("a learning rate up to 0.075")
    # The largest eigenvalue is 4.36 with these radii, where it is 2.66 with one.
    for rate, known in ((0.074, False), (0.04, True)):
        assert (predicted({**long, **RADIUS, "lr": rate}).gen_time is not None) is known
        assert predicted({**long, "lr": rate}).gen_time is not None


def test_sets_with_a_random_radius_settle_late():
    early = predicted({"lambda": 0.4, **RADIUS, "sigma": 1, "n_train": 1000})
    assert early.gen_time is None and "1.1e+04 steps" in early.source
    # What they would take is not what they do.
    steps, accuracies = run({"lambda": 0.4, **RADIUS, "sigma": 1, "n_train": 1000})
    assert first_crossing(steps, accuracies, 0.95) < 100
    assert predicted({"lambda": 0.4, **RADIUS}).gen_time > 1e4


@pytest.mark.parametrize(
    ("options", "largest"),
    [
        ({"lambda": 0.4, "lr": 3, "weight_decay": 1e-2}, "0.12"),
        ({"lambda": 0.25, "sigma": 1, "weight_decay": 300}, "0.00665"),
        ({"lambda": 0.25, "sigma": 1, "weight_decay": 300, "decay": "weights"}, "0.00666"),
        ({"lambda": 0.4, "lr": 0.5, **DECAY}, "0.3"),
    ],
)
def test_rates_matter_with_decay(options, largest):
    found = predicted(options)
    assert found.gen_time is None and found.source.endswith(f"a learning rate up to {largest}")
    exact = float(largest) * 0.99
    assert "learning rate" not in predicted({**options, "lr": exact}).source
    flow = {**options, "solver": "gradient_flow", "gd_steps": 0}
    assert "learning rate" not in predicted(flow).source


def test_steps_beyond_the_stable_rate_do_not_end_where_decay_would():
    options = {"lambda": 0.4, "weight_decay": 1e-2, "solver": "gradient_descent", "n_train": 600}
    minimum = float(predicted(options).source.split()[5])
    good, bad = (run({**options, "lr": lr, "n_epochs": 3000})[1][-1] for lr in (0.1, 3.0))
    assert good == pytest.approx(minimum, abs=0.03)
    assert bad < minimum - 0.1


@pytest.mark.parametrize("decay", ["weights", "all"])
def test_what_does_not_converge_gets_words(monkeypatch, decay):
    """As with a vanishing decay, or at λ = ½."""
    assert predicted({"lambda": 0.6, "weight_decay": 1e-300, "decay": decay}).source
    monkeypatch.setattr(logistic_weight_decay, "_MAX_ITERATIONS", 2)
    options = {"lambda": 0.6, "weight_decay": 1e-3, "decay": decay, "sigma": 5}
    found = predicted(options)
    assert found.gen_time is None and "did not converge" in found.source
    assert "did not converge" in everything("logistic", **options)["t_gen"].note
    if decay == "all":
        assert "outside: " in everything("logistic", **options)["bias_limit"].note


@pytest.mark.parametrize(
    ("known", "formula"),
    [
        (BELOW_HALF, large_size.limit_norm),
        (BELOW_HALF, lambda lambda_: elliptical.limit_norm(lambda_, 3.0, 0.2)),
        (ABOVE_HALF, lambda lambda_: adam_limit.limit_gen_accuracy(lambda_, 5.0, 400)),
    ],
)
def test_ranges_are_those_that_theory_takes(known, formula):
    for inside in (known.first, known.last):
        assert inside in known and formula(inside) > 0
    for outside in (0.999 * known.first, 1.001 * known.last):
        assert outside not in known
        with pytest.raises(ValueError, match="lambda"):
            formula(outside)


@pytest.mark.parametrize("off", [-1e-3, 1e-3])
def test_the_start_of_random_radii_has_the_accuracy_of_their_mixture(off):
    ratio, far, b0, sigma, norm = 5.0, 0.1, -0.9, 2.0, 0.5
    near = (1.0 - far + far * ratio**2) ** -0.5  # E[s²] = 1
    sides = ndtr(-b0 / (sigma * norm * near * np.array([1.0, ratio])))
    accuracy = (1.0 - far) * sides[0] + far * sides[1]
    spec = {"b0": b0, "sigma": sigma, "s0_norm": norm, "law": "elliptical", "d": 40}
    spec |= {"radius_ratio": ratio, "far_share": far, "solver": "gradient_flow", "eta": 0.01}
    time, _ = gen_time(spec, 0.3, accuracy + off)
    assert (time == 0.0) == (off < 0)
