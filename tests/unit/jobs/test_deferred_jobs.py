"""Jobs without a matrix: stopped and gone on with, batched, and beside jobs on matrices."""

import numpy as np
import pytest
from scipy.stats import ks_2samp
from stopping import Stopping

from linear_grokking.jobs.kinds import kind_of
from linear_grokking.results.crossings import first_crossing
from linear_grokking.runtime.checkpoints import Interrupted
from linear_grokking.runtime.context import JobContext
from linear_grokking.workflow.plan import read

EXPERIMENT = {
    "model": "logistic",
    "data": "deferred",
    "n_train": 60,
    "d": 24,
    "sigma": 5.0,
    "t_max": 1e6,
    "records": 40,
}
SOLVERS = [{}, {"gd_steps": 0}, {"solver": "gradient_descent", "t_max": 200}]


def spec_of(**changes):
    config = read({"seed": 3, "experiments": {"e": EXPERIMENT | changes}, "figures": {}})
    (point,) = config.experiments["e"].grid(config.seed)
    return point.spec


def rows(spec, realizations, checkpoint=None):
    context = JobContext() if checkpoint is None else JobContext(checkpoint=lambda _: checkpoint)
    return dict(kind_of(spec).compute(spec, list(realizations), context))


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("changes", SOLVERS)
@pytest.mark.parametrize("offers", [1, 7, 30])
def test_a_resumed_run_gives_the_same_bits(changes, offers):
    spec = spec_of(**changes)
    (expected,) = rows(spec, [1]).values()
    checkpoint = Stopping(offers)
    with pytest.raises(Interrupted):
        rows(spec, [1], checkpoint)
    assert any(name.startswith("inputs ") for name in checkpoint.saved)
    (found,) = rows(spec, [1], checkpoint).values()
    assert_same(found, expected)


def test_a_realization_does_not_depend_on_its_block():
    spec = spec_of()
    together, alone = rows(spec, [0, 1, 2]), rows(spec, [2])
    assert_same(alone[2], together[2])
    assert not np.array_equal(together[0]["weight_norm"], together[1]["weight_norm"])


@pytest.mark.parametrize(
    "changes",
    [
        {"label_fraction": 0.9},
        {"law": "two_gaussians", "mu": 4, "sigma_a": 1, "bias": False},
        {"gamma": 1e-3, "decay": "weights"},
    ],
)
def test_dynamics_have_the_law_of_those_on_matrices(changes):
    draws, least_p = 30, 2e-4  # of 12 tests: a false alarm in one case of 400 at most
    sizes = {"n_train": 90, "d": 30, "t_max": 1e5, "gd_steps": 5, "rtol": 1e-2}
    both = [
        rows(spec_of(**changes, **sizes, data=data), range(draws))
        for data in ("matrix", "deferred")
    ]

    def statistics(columns):
        steps = columns["step"]
        half = np.array([first_crossing(steps, columns["gen_accuracy"][None], 0.8)[0]])
        middle = len(steps) // 2
        return [
            half[0],
            columns["weight_norm"][middle],
            columns["bias"][-1] + columns["train_loss"][-1],
            columns["weight_norm"][-1],
        ]

    matrix, deferred = (np.array([statistics(each) for each in found.values()]) for found in both)
    for one, other in zip(matrix.T, deferred.T, strict=True):
        assert ks_2samp(one, other).pvalue > least_p


def test_outputs_at_the_end_are_those_of_the_training_set():
    spec = spec_of(measure="outputs", law="two_gaussians", mu=30.0, sigma_a=1.0, bias=False)
    (found,) = rows(spec, [0]).values()
    assert found["sample"].tolist() == list(range(60))
    assert (found["output"] < 0).all()
    np.testing.assert_allclose(found["along"].mean(), -30.0, atol=0.6)
    np.testing.assert_allclose(found["across"].std(), 5.0, rtol=0.5)
