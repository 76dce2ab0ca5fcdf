"""Regression of given rows, against literal steps and averages over many teachers."""

import re

import numpy as np
import pytest
from given_rows import teacher
from scipy.stats import norm

from linear_grokking import analyze
from linear_grokking.analysis import Settings, prepared
from linear_grokking.analysis.random_teacher import accuracy, random_teacher
from linear_grokking.analysis.regression import tuned_momentum
from linear_grokking.analysis.samples import checked, split
from linear_grokking.analysis.tables import as_json, table
from linear_grokking.results.crossings import first_crossing
from linear_grokking.solvers.trajectory import record_steps
from linear_grokking.theory import linear_grokking_time, linear_weight_decay
from linear_grokking.theory.linear import Problem

N, D, M = 30, 12, 20


@pytest.mark.parametrize("n_train", [30, 8])
@pytest.mark.parametrize("step", [0, 40])
def test_variances_are_those_of_literal_steps(n_train, step):
    """A student is Ay, A a matrix: its errors are those of (AX - 1)T and Aξ."""
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((n_train, D)) * np.linspace(0.5, 2.0, D)
    fresh = rng.standard_normal((M, D)) * 1.3
    rows = random_teacher(inputs, inputs.mean(axis=1) + rng.standard_normal(n_train), fresh)
    eta, learned = 0.03, np.zeros((D, n_train))
    for _ in range(step):
        learned -= 2 * eta / n_train * inputs.T @ (inputs @ learned - np.eye(n_train))
    left = ((1 - 2 * eta * rows.eigenvalues) ** step)[np.newaxis]
    misfit = inputs @ learned - np.eye(n_train)
    train = rows.teacher * np.sum((misfit @ inputs) ** 2, axis=1)
    train += rows.noise * np.sum(misfit**2, axis=1)
    missed = fresh @ (learned @ inputs - np.eye(D))
    passed_on = fresh @ learned
    gen = rows.teacher * np.sum(missed**2, axis=1)
    gen += rows.noise * (1 + np.sum(passed_on**2, axis=1))
    assert rows.train_variances(left)[0] == pytest.approx(train, rel=1e-9)
    assert rows.gen_variances(left)[0] == pytest.approx(gen, rel=1e-9)

    # The loss is a quadratic form of normal numbers; that its modes are correlated over the
    # held-out rows is left out: so that the sum is over modes.
    parts = np.sum((missed @ eigenvectors(inputs)) ** 2, axis=0) * rows.teacher / M
    if n_train < D:
        return
    parts += (
        np.sum((fresh @ eigenvectors(inputs)) ** 2, axis=0)
        / M
        * (rows.noise * (1 - left[0]) ** 2 / (n_train * rows.eigenvalues))
    )
    assert rows.gen_deviation(left)[0] == pytest.approx(np.sqrt(2 * np.sum(parts**2)))
    assert rows.effective_modes(left)[0] == pytest.approx(parts.sum() ** 2 / np.sum(parts**2))


def eigenvectors(inputs):
    return np.linalg.eigh(inputs.T @ inputs)[1]


def test_accuracy_is_the_share_of_normal_errors():
    variances = np.array([[0.1, 2.0, 0.0], [1e-310, 5.0, 0.3]])
    with np.errstate(all="ignore"):
        expected = 2 * norm.cdf(np.sqrt(0.4 / np.maximum(variances, 1e-300))) - 1
    assert accuracy(variances, 0.4) == pytest.approx(expected.mean(axis=1))


def test_teacher_and_noise_are_found_in_labels():
    inputs, labels = teacher(0, 400, 0.1, noise=0.3)
    rows = random_teacher(inputs, labels, inputs[:5])
    (rest,) = np.linalg.lstsq(inputs, labels)[1]
    assert rows.noise == pytest.approx(rest / (400 - 32))
    total = rows.teacher * np.trace(inputs.T @ inputs) / 400 + rows.noise
    assert total == pytest.approx(np.mean(labels**2))
    clean = teacher(1, 100, 0.5)
    assert random_teacher(*clean, clean[0][:5]).noise == 0.0


@pytest.mark.parametrize("held_out", [0.02, 0.5])
def test_the_deviation_is_that_of_the_loss_and_of_a_count(held_out):
    """Both over the slope at t_gen, here by derivatives."""
    features, labels = teacher(1, 500, 0.4, noise=0.005)
    found = analyze(features, labels, held_out=held_out)
    rows = split(features, labels, held_out=held_out, seed=0)
    size = np.sqrt(np.mean(rows.labels**2))
    modes = random_teacher(rows.inputs, rows.labels / size, rows.held_inputs)
    keep = 1 - 2 * 0.01 * modes.eigenvalues
    left = keep**found.t_gen
    slope = np.log(keep) * left
    change = 2 * modes.teacher * left * slope - 2 * modes.noise * (1 - left) * slope / (
        len(rows.inputs) * modes.eigenvalues
    )
    variances, changes = modes.gen_variances(left[np.newaxis])[0], modes.held @ change
    ratio = np.sqrt(1e-3 / variances)
    by_count = np.sqrt(0.95 * 0.05 / len(rows.held_labels))
    by_count /= np.mean(-norm.pdf(ratio) * ratio / variances * changes)
    by_teacher = modes.gen_deviation(left[np.newaxis])[0] / abs(changes.mean())
    assert found.t_gen_deviation == pytest.approx(np.hypot(by_count, by_teacher), rel=1e-3)


SETS = {
    "gaussian .4": lambda: teacher(0, 1500, 0.4),
    "gaussian .5": lambda: teacher(6, 2500, 0.5),
    "student t": lambda: teacher(
        2, 1500, 0.3, inputs=np.random.default_rng(20).standard_t(5, (1500, 370))
    ),
    "correlated": lambda: teacher(
        3,
        1500,
        0.3,
        inputs=np.random.default_rng(30).standard_normal((1500, 370))
        @ np.diag(np.linspace(0.7, 1.4, 370)),
    ),
    "noisy": lambda: teacher(4, 2000, 0.4, noise=0.01),
}


@pytest.mark.parametrize("name", SETS)
def test_a_forecast_in_its_range_is_within_20_percent_of_the_run(name):
    features, labels = SETS[name]()
    found = analyze(features, labels)
    assert found.task == "regression" and found.valid, found.remarks
    assert 0 < found.t_gen_deviation < 0.08 * found.t_gen and found.effective_modes > 5
    steps = record_steps(np.rint(10 * found.t_gen), 400)
    problem = prepared(checked(features, labels), Settings())
    run = problem.run(steps)
    assert found.t_gen == pytest.approx(first_crossing(steps, run["gen_accuracy"], 0.95), rel=0.2)
    train = first_crossing(steps, run["train_accuracy"], 0.95)
    assert found.t_train == pytest.approx(train, rel=0.2)
    told = problem.forecast(np.array([found.t_train, found.t_gen]))
    assert told["train_accuracy"][0] == pytest.approx(0.95, abs=1e-6)
    assert told["gen_accuracy"][1] == pytest.approx(0.95, abs=1e-6)


@pytest.mark.parametrize("share", [0.6, 0.9])
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_rate_that_turns_modes_over_is_forecast_as_it_runs(share, noise):
    """Beyond half of the largest rate the fastest modes change their sign at each step."""
    features, labels = teacher(0, 1500, 0.4, noise=noise)
    eta = share * analyze(features, labels).largest_eta
    found = analyze(features, labels, eta=eta)
    assert found.valid and 0 < found.t_gen_deviation < 0.08 * found.t_gen
    problem = prepared(checked(features, labels), Settings(eta=eta))
    steps = np.arange(200.0)
    run, told = problem.run(steps), problem.forecast(steps)
    for name, time in (("train", found.t_train), ("gen", found.t_gen)):
        assert time == pytest.approx(first_crossing(steps, run[f"{name}_accuracy"], 0.95), rel=0.25)
        assert time == pytest.approx(first_crossing(steps, told[f"{name}_accuracy"], 0.95), abs=1.0)

    # One literal step turns errors of a mode by 1 - 2 eta nu, below 0 for the fastest.
    rows = split(features, labels, held_out=0.2, seed=0)
    modes = random_teacher(rows.inputs, rows.labels, rows.held_inputs)
    left = (1 - 2 * eta * modes.eigenvalues)[np.newaxis] ** 7
    assert told["gen_loss"][7] * np.mean(rows.labels**2) == pytest.approx(
        modes.gen_variances(left).mean()
    )


def test_modes_that_only_just_do_not_diverge_are_waited_for():
    """(1 - a)^t with a near 2 falls as slowly as with a near 0."""
    features, labels = teacher(0, 1500, 0.05)
    largest = analyze(features, labels).largest_eta
    problem = prepared(checked(features, labels), Settings(eta=(1 - 1e-5) * largest))
    found = problem.summary()
    assert 1e4 < found.t_gen < 1e6
    at = problem.forecast(np.rint([found.t_gen]))
    assert at["gen_accuracy"][0] == pytest.approx(0.95, abs=1e-4)


def test_times_are_paper_as_at_large_size():
    """Teacher and student of variance 1/(2d) each differ as a teacher of 1/d from zero does."""
    features, labels = teacher(0, 3000, 0.4)
    found = analyze(features, labels, epsilon=1e-2)
    problem = Problem(0.4, 0.01)
    assert found.t_train == pytest.approx(linear_grokking_time.train_time(problem, 1e-2), rel=0.03)
    assert found.t_gen == pytest.approx(linear_grokking_time.gen_time(problem, 1e-2), rel=0.04)
    assert found.lambda_ == pytest.approx(0.4)
    edges = (1 - np.sqrt(0.4)) ** 2, (1 + np.sqrt(0.4)) ** 2
    assert (found.smallest, found.largest) == pytest.approx(edges, rel=0.03)
    assert found.tuned_eta == pytest.approx(0.5, rel=0.01)
    assert found.tuned_momentum == pytest.approx(0.4, rel=0.02)
    assert found.tuned_t_gen < found.tuned_t_train  # the lead of docs/theory.md
    # The papers' teacher has half of that variance.
    gamma = linear_weight_decay.max_weight_decay(problem, 0.5e-2)
    assert found.largest_weight_decay == pytest.approx(gamma, rel=0.05)


def test_literal_steps_of_torch_are_the_runs_and_tuned_momentum_takes_the_steps_it_says():
    import torch

    features, labels = teacher(5, 400, 0.5)
    rows = split(features, labels, held_out=0.2, seed=0)
    found = analyze(features, labels)
    inputs, wanted = torch.tensor(rows.inputs), torch.tensor(rows.labels)
    size = float(np.mean(rows.labels**2))

    def walk(steps, **options):
        weights = torch.zeros(inputs.shape[1], dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.SGD([weights], **options)
        found = []
        for _ in range(steps + 1):
            errors = (rows.held_inputs @ weights.detach().numpy() - rows.held_labels) ** 2 / size
            found.append((np.mean(errors), np.mean(errors <= 1e-3)))
            optimizer.zero_grad()
            ((inputs @ weights - wanted) ** 2).mean().backward()
            optimizer.step()
        return np.array(found)

    run = prepared(checked(features, labels), Settings()).run(np.arange(301.0))
    expected = walk(300, lr=0.01)
    assert run["gen_loss"] == pytest.approx(expected[:, 0], rel=1e-9)
    assert run["gen_accuracy"] == pytest.approx(expected[:, 1])
    tuned = walk(60, lr=found.tuned_eta, momentum=found.tuned_momentum)
    assert first_crossing(np.arange(61), tuned[:, 1], 0.95) == pytest.approx(
        found.tuned_t_gen, abs=2.5
    )


def test_tuned_momentum_is_the_fastest_for_its_edges():
    low, high = 0.05, 3.0
    best = tuned_momentum(low, high)
    edges = tuned_momentum((1 - np.sqrt(0.3)) ** 2, (1 + np.sqrt(0.3)) ** 2)
    assert (edges.eta, edges.momentum) == pytest.approx((0.5, 0.3))

    def radius(eta, beta):
        largest = 0.0
        for value in (low, high):
            roots = np.roots([1.0, -(1 + beta - 2 * eta * value), beta])
            largest = max(largest, np.abs(roots).max())
        return largest

    least = radius(best.eta, best.momentum)
    assert least == pytest.approx(np.sqrt(best.momentum), abs=1e-7)
    for eta in (0.99, 1.01):
        for beta in (0.99, 1.01):
            assert radius(eta * best.eta, beta * best.momentum) > least


def test_the_largest_weight_decay_is_where_the_ridge_still_suffices():
    features, labels = teacher(7, 500, 0.4)
    found = analyze(features, labels, epsilon=1e-2)
    rows = split(features, labels, held_out=0.2, seed=0)
    covariance = rows.inputs.T @ rows.inputs / len(rows.inputs)
    half = found.largest_weight_decay / 2 * np.eye(len(covariance))
    missed = rows.held_inputs @ (np.linalg.solve(covariance + half, covariance) - np.eye(len(half)))
    variances = np.sum(missed**2, axis=1) / np.trace(covariance)
    share = np.mean(2 * norm.cdf(np.sqrt(1e-2 / variances)) - 1)
    assert share == pytest.approx(0.95, abs=1e-6)


def test_what_is_never_reached_is_said():
    noisy = analyze(*teacher(0, 300, 0.4, noise=0.5))
    assert noisy.t_gen == np.inf and noisy.largest_weight_decay is None
    assert noisy.label_noise == pytest.approx(0.25 / 1.25, rel=0.25)
    assert re.search(r"largest weight decay +none", "\n".join(table(noisy)))
    wide = analyze(*teacher(0, 100, 1.5))
    assert wide.null_directions == 40 and wide.lambda_ == 1.5
    assert wide.t_gen == np.inf and wide.t_train < np.inf
    assert any("as many features" in remark for remark in wide.remarks)


def test_what_is_right_from_the_start_is_so_with_any_weight_decay():
    """In the end a student without weights is left, as right as at step 0."""
    found = analyze(*teacher(0, 1500, 1 / 30), epsilon=50)
    assert found.t_gen == 0 and found.largest_weight_decay == np.inf
    assert re.search(r"largest weight decay +any", "\n".join(table(found)))
    assert as_json(found)["largest_weight_decay"] == "inf"


def test_a_row_that_a_mode_fits_is_right_at_the_end_whatever_rounds():
    """Nothing of it is outside the modes, but the squares of its components may sum to above 1."""
    sums = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        inputs = rng.standard_normal((40, 20)) * (rng.random((40, 20)) < 0.15)
        modes = random_teacher(inputs, rng.standard_normal(40), inputs)
        variances = modes.train_variances(np.zeros((1, len(modes.eigenvalues))))
        assert modes.noise > 0 and variances.min() >= 0
        assert np.isfinite(accuracy(variances, 1e-3))
        sums.append(modes.left.sum(axis=1).max())
    assert max(sums) > 1.0


def test_labels_that_are_mostly_0_are_unlike_a_teachers_and_their_never_is_not_in_range():
    features, labels = teacher(0, 300, 0.1)
    labels = np.where(np.arange(300) % 50 == 0, labels, 0.0)
    problem = prepared(checked(features, labels), Settings())
    found, at_start = problem.summary(), problem.run(np.array([0.0]))["gen_accuracy"][0]
    assert found.t_gen == np.inf and at_start >= 0.95
    assert not found.valid and any("close to 0" in remark for remark in found.remarks)


def test_an_end_near_the_accuracy_is_not_called_never_for_certain():
    """Of 60 held-out rows 0.93 right differ from 0.95 by half of a standard deviation."""
    features, labels = teacher(0, 300, 0.05, noise=0.05)
    settings = Settings(epsilon=1e-3), Settings(epsilon=1.3e-2)
    far, near = (prepared(checked(features, labels), each) for each in settings)
    shares = [each.forecast(np.array([1e9]))["gen_accuracy"][0] for each in (far, near)]
    assert shares[0] < 0.6 and 0.9 < shares[1] < 0.95
    assert far.summary().t_gen == near.summary().t_gen == np.inf
    assert far.summary().valid and not near.summary().valid
    answers = [line for each in (far, near) for line in table(each.summary()) if "grok?" in line]
    assert answers[0].endswith("no: held-out rows end below the accuracy")
    assert answers[1].endswith("by a forecast that is not in its range; use --run to find out")


def test_few_modes_are_out_of_range():
    found = analyze(*teacher(0, 300, 0.9))
    assert not found.valid and "modes" in found.remarks[0]
    assert found.t_gen_deviation > 0.08 * found.t_gen
    assert re.search(
        r"grok\? +the forecast is not in its range; use --run", "\n".join(table(found))
    )


def test_few_held_out_rows_are_out_of_range_for_that():
    """The modes are as many as with more rows, where the forecast is in its range."""
    features, labels = teacher(0, 1500, 0.4)
    few = analyze(features, labels, held_out=5 / 1500)
    assert not few.valid and few.remarks == (
        "only 5 rows are held out: t_gen depends on which rows these are",
    )
    many = analyze(features, labels)
    assert many.valid and few.effective_modes == pytest.approx(many.effective_modes, rel=0.5)


def test_a_rate_that_diverges_is_refused_with_the_largest_allowed():
    features, labels = teacher(0, 300, 0.4)
    largest = analyze(features, labels).largest_eta
    rows = split(features, labels, held_out=0.2, seed=0)
    assert largest == pytest.approx(
        1 / np.linalg.eigvalsh(rows.inputs.T @ rows.inputs / len(rows.inputs))[-1]
    )
    with pytest.raises(ValueError, match=f"eta = 1: .* must be below {largest:.4g}"):
        analyze(features, labels, eta=1.0)


def test_units_of_labels_do_not_matter():
    features, labels = teacher(0, 300, 0.4)
    one, other = analyze(features, labels), analyze(features, 1000 * labels)
    assert one.t_gen == pytest.approx(other.t_gen, rel=1e-6)
