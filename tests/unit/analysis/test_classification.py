"""Classification of given rows, against literal gradient descent and the flow."""

import numpy as np
import pytest
from given_rows import one_label
from scipy.optimize import minimize
from sklearn import datasets, linear_model, svm

from linear_grokking import analyze
from linear_grokking.analysis import Settings, prepared
from linear_grokking.analysis.classification import label_constant, largest_eta
from linear_grokking.analysis.inseparable import minimum
from linear_grokking.analysis.samples import checked, split, standardized
from linear_grokking.analysis.tables import table
from linear_grokking.results.crossings import first_crossing
from linear_grokking.solvers.trajectory import record_steps
from linear_grokking.theory import large_size


def literal(features, labels, *, eta, steps, seed=0, held_out=0.2):
    """Held-out accuracies (T,) of a torch model, at every step from 0 on."""
    import torch

    rows = split(features, labels.astype(float), held_out=held_out, seed=seed)
    inputs, wanted, fresh = (torch.tensor(x) for x in (rows.inputs, rows.labels, rows.held_inputs))
    net = torch.nn.Linear(inputs.shape[1], 1, dtype=torch.float64)
    for parameter in net.parameters():
        torch.nn.init.zeros_(parameter)
    optimizer = torch.optim.SGD(net.parameters(), lr=eta)
    found = []
    for _ in range(steps):
        with torch.no_grad():
            found.append(np.mean(net(fresh)[:, 0].numpy() * rows.held_labels > 0))
        optimizer.zero_grad()
        loss = torch.nn.functional.softplus(-wanted * net(inputs)[:, 0]).mean()
        loss.backward()
        optimizer.step()
    return np.array(found)


def run_times(features, labels, found, **settings):
    """Times of training and held-out accuracy by the run beside an analysis."""
    steps = record_steps(np.rint(10 * found.t_gen), 400)
    run = prepared(checked(features, labels), Settings(**settings)).run(steps)
    return [first_crossing(steps, run[f"{name}_accuracy"], 0.95) for name in ("train", "gen")]


SETS = [
    (0, 600, 0.2, 3, 0.0),
    (1, 600, 0.4, 5, 0.0),
    (2, 600, 0.4, 5, 0.0),
    (3, 600, 0.42, 10, 0.0),
    (4, 400, 0.3, 8, 0.0),
    (5, 400, 0.3, 20, 0.01),
]


@pytest.mark.parametrize("made", SETS)
def test_a_forecast_in_its_range_is_within_20_percent_of_the_run(made):
    *sizes, along = made
    features, labels = one_label(*sizes, along=along)
    eta = 0.01 if sizes[3] < 15 else 0.001
    found = analyze(features, labels, eta=eta)
    assert found.valid and not found.remarks
    train, gen = run_times(features, labels, found, eta=eta)
    assert found.t_gen == pytest.approx(gen, rel=0.2)
    if found.valid_train:
        assert found.t_train == pytest.approx(train, rel=0.2)
    assert found.t_gen > found.t_train


@pytest.mark.parametrize(
    ("seed", "valid"), [(3, (True, False)), (11, (False, True)), (12, (True, True))]
)
def test_where_most_rows_are_far_off_a_small_margin_a_forecast_in_its_range_holds_too(seed, valid):
    """All of learning lies at β far below 1 there: outputs reach β |z|/M."""
    features = np.random.default_rng(seed).standard_normal((200, 1))
    labels = features[:, 0] > 0.7
    found = analyze(features, labels)
    steps = record_steps(1e6, 400)
    run = prepared(checked(features, labels), Settings()).run(steps)
    for name, time, in_range in (
        ("gen", found.t_gen, found.valid),
        ("train", found.t_train, found.valid_train),
    ):
        reached = first_crossing(steps, run[f"{name}_accuracy"], 0.95)
        assert not in_range or time == pytest.approx(reached, rel=0.2)
    assert (found.valid, found.valid_train) == valid
    answer = next(line for line in table(found) if line.startswith("will it grok?"))
    assert ("times as late" in answer) == all(valid)
    assert ("when training rows do" in answer) == (found.valid and not found.valid_train)


def test_the_run_and_the_forecast_are_those_of_a_torch_loop():
    features, labels = one_label(0, 300, 0.2, 3)
    found = analyze(features, labels)
    accuracies = literal(features, labels, eta=0.01, steps=3 * round(found.t_gen))
    steps = np.arange(0.0, len(accuracies))
    ours = prepared(checked(features, labels), Settings()).run(steps[:400])["gen_accuracy"]
    assert np.max(np.abs(ours - accuracies[:400])) <= 1 / 60 + 1e-12
    assert found.valid
    assert found.t_gen == pytest.approx(first_crossing(steps, accuracies, 0.95), rel=0.2)


def test_a_small_sigma_is_out_of_range_and_the_run_is_earlier():
    features, labels = one_label(0, 600, 0.35, 2)
    found = analyze(features, labels)
    assert not found.valid and "settled" in found.remarks[0]
    assert found.lag_gen > 0.15
    assert run_times(features, labels, found)[1] < 0.8 * found.t_gen


def test_one_label_in_disguise_is_recognized_with_paper_bs_numbers():
    features, labels = one_label(0, 1500, 0.4, 1)
    found = analyze(features, labels)
    assert found.classes == ("-1", "1")
    assert (found.n_train, found.n_held_out, found.n_features) == (1200, 300, 481)
    assert found.support == found.n_train
    assert found.with_bias.margin == pytest.approx(1.0)
    assert found.across is not None and not found.across.separable
    # One more column, the signs of the classifier's own bias: λ is 481/1200 in all.
    assert found.across.s_inf_norm == pytest.approx(large_size.limit_norm(0.401), rel=0.12)
    assert found.limit_train_accuracy == found.limit_gen_accuracy == 1.0


def test_above_one_half_the_margin_is_wider_and_no_formula_says_when():
    features, labels = one_label(0, 600, 0.6, 2)
    found = analyze(features, labels)
    assert found.across is None and 0 < found.support < found.n_train
    assert found.with_bias.margin > 1.001
    assert found.t_gen is None and not found.valid and "off the margin" in found.remarks[0]


@pytest.mark.parametrize(("lambda_", "separable"), [(0.4, False), (0.6, True)])
def test_labels_without_a_signal_are_separable_from_one_half_on(lambda_, separable):
    features, labels = one_label(3, 600, lambda_, 1)
    found = analyze(features[:, 1:], labels)
    for verdict in (found.through_origin, found.with_bias):
        assert verdict.separable is separable
        assert (verdict.margin is None) is not separable
        assert (verdict.s_inf_norm is None) is separable
    assert found.t_gen == np.inf
    if not separable:
        assert found.through_origin.s_inf_norm == pytest.approx(
            large_size.limit_norm(0.4), rel=0.12
        )
        assert found.support == 0 and found.relaxation_time > 0


def test_a_bias_alone_may_separate():
    rng = np.random.default_rng(0)
    features = rng.uniform(1.0, 2.0, (60, 2))
    labels = np.where(features[:, 0] > 1.5, 1, 0)
    found = analyze(features[:, :1], labels)
    assert not found.through_origin.separable and found.with_bias.separable


def test_an_inseparable_set_ends_at_the_minimum_of_its_loss():
    features, labels = one_label(1, 200, 0.2, 1)
    points = label_constant(features[:, 1:4], labels)
    here, relaxation = minimum(points, 0.01)
    other = minimize(lambda theta: np.mean(np.logaddexp(0, points @ theta)), np.zeros(4), tol=1e-12)
    assert here == pytest.approx(other.x, abs=1e-4)
    slopes = 1 / (1 + np.exp(-points @ here))
    hessian = np.einsum("i,ij,ik->jk", slopes * (1 - slopes), points, points) / len(points)
    assert relaxation == pytest.approx(1 / (0.01 * np.linalg.eigvalsh(hessian)[0]))
    found = analyze(features[:, 1:4], labels, accuracy=0.3)
    assert found.t_gen is None and "not separable" in found.remarks[0]


def test_a_margin_that_is_not_found_leaves_the_proved_verdict():
    features = np.random.default_rng(1).standard_normal((400, 3))
    labels = features[:, 0] > -1.0
    found = analyze(features + 1e6, labels, eta=1e-14)
    assert found.with_bias.separable and found.with_bias.certificate == "direction"
    assert found.with_bias.margin is None and found.limit_train_accuracy == 1.0
    assert found.limit_gen_accuracy is None and found.t_train is None and found.t_gen is None
    assert not found.valid and "margin was not found" in found.remarks[0]
    text = "\n".join(table(found))
    assert "margin not found (proved" in text and "not known on held-out rows" in text
    near = analyze(features + 1e6, labels, standardize=True)
    assert near.with_bias.margin > 0 and near.limit_gen_accuracy > 0.95


def test_steps_too_long_are_said():
    features, labels = one_label(0, 300, 0.2, 3)
    rows = split(features, labels.astype(float), held_out=0.2, seed=0)
    points = label_constant(rows.inputs, rows.labels)
    bound = 2.0 / (0.25 * np.linalg.eigvalsh(points.T @ points / len(points))[-1])
    assert largest_eta(points) == pytest.approx(bound)
    found = analyze(features, labels, eta=1.01 * bound)
    assert not found.valid and "learning rate is too large" in found.remarks[-1]
    assert analyze(features, labels, eta=0.99 * bound).largest_eta == pytest.approx(bound)


def test_a_rotation_of_the_features_changes_nothing_and_the_scale_what_it_should():
    features, labels = one_label(0, 300, 0.2, 3)
    turn = np.linalg.qr(np.random.default_rng(5).standard_normal((features.shape[1],) * 2))[0]
    found, turned = analyze(features, labels), analyze(features @ turn, labels)
    assert turned.t_gen == pytest.approx(found.t_gen, rel=1e-6)
    assert turned.with_bias.margin == pytest.approx(found.with_bias.margin)
    doubled = analyze(2 * features, labels)
    assert doubled.through_origin.margin == pytest.approx(2 * found.through_origin.margin)


def test_the_last_layer_of_a_small_net():
    """Features of a trained net are separable as its classes are, and easy: nothing to wait for."""
    import torch

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    inputs = torch.tensor(rng.standard_normal((300, 5)))
    labels = torch.where(inputs[:, 0] * inputs[:, 1] > 0, 1.0, -1.0).double()
    first, last = torch.nn.Linear(5, 24).double(), torch.nn.Linear(24, 1).double()
    optimizer = torch.optim.Adam([*first.parameters(), *last.parameters()], lr=0.03)
    for _ in range(400):
        optimizer.zero_grad()
        outputs = last(torch.tanh(first(inputs)))[:, 0]
        torch.nn.functional.softplus(-labels * outputs).mean().backward()
        optimizer.step()
    features = torch.tanh(first(inputs)).detach().numpy()
    found = analyze(features, labels.numpy(), accuracy=0.9)
    assert found.with_bias.separable and found.limit_train_accuracy == 1.0
    assert found.limit_gen_accuracy > 0.9
    assert not found.valid  # it comes early, while the weights are far from settled
    run = prepared(checked(features, labels.numpy()), Settings()).run(np.array([0.0, 1e3, 1e8]))
    assert run["train_accuracy"][-1] == 1.0
    assert run["gen_accuracy"][-1] == pytest.approx(found.limit_gen_accuracy, abs=0.04)


def digits(chosen):
    """Digits of scikit-learn, some against others, without pixels that are nearly always empty."""
    features, labels = datasets.load_digits(return_X_y=True)
    kept = np.isin(labels, chosen) if chosen else labels >= 0
    features, labels = features[kept], labels[kept]
    return features[:, features.std(axis=0) > 1], labels if chosen else labels % 2


def breast_cancer(columns=slice(None)):
    features, labels = datasets.load_breast_cancer(return_X_y=True)
    return features[:, columns], labels


REAL_SETS = {
    "digits 0, 1": lambda: digits([0, 1]),
    "digits 3, 8": lambda: digits([3, 8]),
    "even, odd": lambda: digits([]),
    "breast cancer": breast_cancer,
    "breast cancer, means": lambda: breast_cancer(slice(10)),
}


@pytest.mark.parametrize("name", REAL_SETS)
def test_real_sets_end_where_scikit_learn_finds_the_end(name):
    features, labels = REAL_SETS[name]()
    found = analyze(features, labels, standardize=True)
    samples = checked(features, labels)
    rows = split(features, labels.astype(float), held_out=0.2, seed=0)
    rows = standardized(rows, samples.names, labels=False)
    if found.with_bias.separable:
        fit = svm.SVC(kernel="linear", C=1e8, tol=1e-8)
    else:
        fit = linear_model.LogisticRegression(C=np.inf, tol=1e-10, max_iter=100_000)
    fit.fit(rows.inputs, rows.labels)
    assert found.limit_train_accuracy == fit.score(rows.inputs, rows.labels)
    assert found.limit_gen_accuracy == fit.score(rows.held_inputs, rows.held_labels)
    if found.with_bias.separable:
        # There the bias is free, here it is a weight like the others: no larger margin, and one
        # that is no smaller than that of the same boundary.
        weights, (bias,) = fit.coef_[0], fit.intercept_
        smallest, largest = 1 / np.hypot(np.linalg.norm(weights), bias), 1 / np.linalg.norm(weights)
        assert 0.999 * smallest < found.with_bias.margin < 1.001 * largest < 1.02 * smallest


@pytest.mark.parametrize("name", REAL_SETS)
def test_forecasts_for_real_sets_hold_or_say_that_they_may_not(name):
    features, labels = REAL_SETS[name]()
    found = analyze(features, labels, standardize=True)
    steps = record_steps(1e6, 300)
    run = prepared(checked(features, labels), Settings(standardize=True)).run(steps)
    for series, forecast, valid in (
        ("train", found.t_train, found.valid_train),
        ("gen", found.t_gen, found.valid),
    ):
        time = first_crossing(steps, run[f"{series}_accuracy"], 0.95)
        assert not valid or forecast == pytest.approx(time, rel=0.2)
    assert bool(found.remarks) is not found.valid


def test_an_accuracy_that_is_passed_on_the_way_is_not_called_never():
    features, labels = breast_cancer()
    found = analyze(features, labels, standardize=True)
    run = prepared(checked(features, labels), Settings(standardize=True)).run(
        np.array([0.0, 100.0])
    )
    assert found.limit_gen_accuracy < 0.95 < run["gen_accuracy"][-1]
    assert not found.valid and "on the way" in found.remarks[0]
    assert any("grok?" in line and "not in its range" in line for line in table(found))


def test_never_is_not_in_range_though_all_training_rows_are_on_the_margin():
    """As always with many features: held-out rows are not alike, and pass the accuracy before."""
    rng = np.random.default_rng(206)
    features = rng.standard_normal((30, 120))
    labels = features @ rng.standard_normal(120) > 0
    for accuracy in (0.6, 0.7, 0.8, 0.9):
        found = analyze(features, labels, held_out=0.5, accuracy=accuracy)
        assert found.support == found.n_train == 15
        assert not (found.t_gen == np.inf and found.valid)


def test_rows_that_are_right_from_the_first_step_have_no_late_time():
    """Two rows, nearly opposite with the bias: the path begins at 0 along their margin."""
    rng = np.random.default_rng(21)
    features = 1e-6 * rng.standard_normal((11, 60))
    labels = np.arange(11) % 2
    found = analyze(features, labels, held_out=0.8, seed=2, accuracy=0.5)
    run = prepared(checked(features, labels), Settings(held_out=0.8, seed=2)).run(np.array([1.0]))
    assert found.n_train == 2 and run["train_accuracy"][0] == 1.0
    assert not found.valid_train and found.t_train == 0.0


def test_a_limit_accuracy_that_is_just_the_target_is_reached():
    features, labels = one_label(11, 300, 0.3, 5, along=0.3)
    limit = analyze(features, labels).limit_gen_accuracy
    assert 0.5 < limit < 1.0
    found = analyze(features, labels, accuracy=limit)
    assert found.t_gen is None or found.t_gen < np.inf
