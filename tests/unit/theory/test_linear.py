import numpy as np
import pytest
from oracles import exponential_average, spectral_mean
from scipy import integrate, special, stats

from linear_grokking.data.draws import teacher_student
from linear_grokking.theory import linear
from linear_grokking.theory.linear import Problem

pytestmark = pytest.mark.filterwarnings("error")

ETA = 0.01
OPTIONS = [
    {},
    {"gamma": 0.03},
    {"alpha": 3.0, "d_out": 7},
    {"noise": 0.2},
    {"gamma": 0.5, "d_out": 4, "alpha": 0.5, "noise": 0.05},
]
RATIOS = [0.2, 0.9, 1.0, 1.7]


def recursion(nu, steps, eta, gamma=0.0, d_out=1):
    """Coefficients of αS₀, −T and ξ in D after literal descent in each eigendirection."""
    student, teacher, noise = np.ones_like(nu), np.ones_like(nu), np.zeros_like(nu)
    factor = 1.0 - 2.0 * eta * nu / d_out - eta * gamma / d_out
    for _ in range(steps):
        student = factor * student
        teacher = factor * teacher + eta * gamma / d_out
        noise = factor * noise + 2.0 * eta / d_out
    return student, teacher, noise


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("lambda_", RATIOS)
def test_descent_is_the_recursion(lambda_, options):
    steps = 400
    problem = Problem(lambda_, ETA, **options)
    gamma, d_out, alpha, s2 = problem.gamma, problem.d_out, problem.alpha, problem.noise

    def square(nu):
        student, teacher, _ = recursion(nu, steps, ETA, gamma, d_out)
        return (alpha**2 * student**2 + teacher**2) / (2.0 * d_out)

    def noise_gen(nu):
        return nu * recursion(nu, steps, ETA, gamma, d_out)[2] ** 2

    def noise_train(nu):
        # Residual of a fitted direction, and the share of directions that are fitted.
        return (nu > 0) * ((1.0 - nu * recursion(nu, steps, ETA, gamma, d_out)[2]) ** 2 - 1.0)

    gen = spectral_mean(square, lambda_) + lambda_ * s2 * spectral_mean(noise_gen, lambda_)
    train = spectral_mean(lambda nu: nu * square(nu), lambda_)
    train += s2 * (1.0 + lambda_ * spectral_mean(noise_train, lambda_))
    assert linear.gen_loss(steps, problem, discrete=True) == pytest.approx(gen, rel=1e-9)
    assert linear.train_loss(steps, problem, discrete=True) == pytest.approx(train, rel=1e-9)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("lambda_", RATIOS)
@pytest.mark.parametrize("loss", [linear.train_loss, linear.gen_loss])
def test_flow_is_the_limit_of_small_steps(loss, lambda_, options):
    flow = loss(400.0, Problem(lambda_, ETA, **options))
    descent = loss(400.0 * 1e6, Problem(lambda_, ETA / 1e6, **options), discrete=True)
    assert descent == pytest.approx(flow, rel=1e-6)


@pytest.mark.parametrize(
    ("lambda_", "options"),
    [
        (0.8, {}),
        (0.8, {"gamma": 0.3, "alpha": 2.0, "noise": 0.3}),
        (1.6, {"gamma": 0.3, "alpha": 0.5, "noise": 0.3}),
    ],
)
def test_monte_carlo_on_the_trained_model(lambda_, options):
    """Matrix descent on drawn data: 24 realizations, d_in = 160, d_out = 4.

    Student's t with 23 degrees of freedom beyond 5: 5e-5 per comparison, twelve of them.
    The allowance of 0.5 % is for the spectrum's and the accuracy's 1/d_in shifts.
    """
    d_in, d_out, eta = 160, 4, 0.1
    alpha, noise, gamma = (options.get(k, v) for k, v in (("alpha", 1), ("noise", 0), ("gamma", 0)))
    n_train = round(d_in / lambda_)
    records = (20, 200)
    measured = []
    for realization in range(24):
        data = teacher_student(
            seed=3,
            realization=realization,
            n_train=n_train,
            n_gen=1,
            widths=(d_in, d_out),
            alpha=alpha,
            noise=noise,
        )
        (teacher,), (student,) = data.teacher, data.student
        labels = data.inputs @ teacher
        if data.label_noise is not None:
            labels = labels + data.label_noise
        row = []
        for step in range(records[-1] + 1):
            residual = data.inputs @ student - labels
            if step in records:
                row.append(np.mean(residual**2))
                row.append(np.sum((student - teacher) ** 2) / d_out)
            gradient = 2.0 / (n_train * d_out) * data.inputs.T @ residual
            student = student - eta * gradient - eta * gamma / d_out * student
        measured.append(row)
    measured = np.array(measured)
    problem = Problem(d_in / n_train, eta, d_out=d_out, **options)
    losses = (linear.train_loss, linear.gen_loss)
    theory = np.ravel([loss(records, problem, discrete=True) for loss in losses], order="F")
    error = measured.std(axis=0, ddof=1) / np.sqrt(len(measured))
    assert np.all(np.abs(measured.mean(axis=0) - theory) < 5 * error + 0.005 * theory)


@pytest.mark.parametrize("lambda_", [1e-6, 0.1, 0.9, 1.0, 1.5, 100.0])
def test_training_loss_has_its_closed_form(lambda_):
    t = np.concatenate([[0.0], np.logspace(-2, 12, 40)])
    closed = exponential_average(ETA * t, lambda_)
    losses = linear.train_loss(t, Problem(lambda_, ETA))
    np.testing.assert_allclose(losses, closed, rtol=1e-10, atol=1e-290)


@pytest.mark.parametrize("lambda_", [0.3, 0.9, 1.0, 1.5])
def test_generalization_loss_is_the_integral_of_the_training_loss(lambda_):
    start, end = 50.0, 4000.0
    area, _ = integrate.quad(
        lambda t: exponential_average(ETA * t, lambda_), start, end, epsrel=1e-11
    )
    drop = -np.diff(linear.gen_loss([start, end], Problem(lambda_, ETA)))
    assert drop == pytest.approx(4 * ETA * area, rel=1e-9)


def test_critical_generalization_loss_has_a_closed_form():
    t = np.concatenate([[0.0], np.logspace(-2, 12, 30)])
    z = 8 * ETA * t
    losses = linear.gen_loss(t, Problem(1.0, ETA))
    np.testing.assert_allclose(losses, special.i0e(z) + special.i1e(z), rtol=1e-10)


def test_limits_of_few_and_of_many_dimensions():
    t = np.array([0.0, 10.0, 300.0])
    for loss in (linear.train_loss, linear.gen_loss):
        few = loss(t, Problem(1e-10, ETA))
        np.testing.assert_allclose(few, np.exp(-4 * ETA * t), rtol=1e-4)
    # λ ≫ 1: all that can be learned is learned at rate λ.
    lambda_ = 1e10
    x = np.array([0.0, 0.3, 1.0]) / lambda_
    many = linear.train_loss(x / ETA, Problem(lambda_, ETA))
    np.testing.assert_allclose(many, np.exp(-4 * lambda_ * x), rtol=1e-4)
    lambda_ = 1e6
    learned = 1 - linear.gen_loss(0.3 / lambda_ / ETA, Problem(lambda_, ETA))
    np.testing.assert_allclose(learned, -np.expm1(-1.2) / lambda_, rtol=1e-3)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("loss", [linear.train_loss, linear.gen_loss])
def test_initial_loss(loss, options):
    problem = Problem([1e-8, 0.5, 1.0, 3.0, 1e8], ETA, **options)
    expected = (1 + problem.alpha**2) / (2 * problem.d_out)
    if loss is linear.train_loss:
        expected += problem.noise
    values = loss(0.0, problem)
    np.testing.assert_allclose(values, expected, rtol=1e-11)


@pytest.mark.parametrize("gamma", [0.0, 1e-9, 1e-3, 10.0])
@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_no_warning_and_no_nan_from_the_first_step_to_the_last(gamma, noise):
    t = np.array([0.0, 1e-8, 1.0, 1e4, 1e8, 1e12])
    lambda_ = np.array([1e-12, 0.5, 1 - 1e-13, 1.0, 1 + 1e-13, 2.0, 1e8])[:, None]
    for loss in (linear.train_loss, linear.gen_loss):
        values = loss(t, Problem(lambda_, ETA, gamma=gamma, noise=noise, alpha=2.0))
        assert np.all(np.isfinite(values))
        assert np.all(values >= 0)
    train = linear.train_loss(t, Problem(lambda_, ETA, gamma=gamma, noise=noise))
    assert np.all(np.diff(train, axis=1) <= 1e-12 * train[:, 1:])


def test_arguments_broadcast():
    t, lambda_ = np.array([1.0, 100.0]), np.array([[0.5], [1.0], [2.0]])
    together = linear.gen_loss(t, Problem(lambda_, ETA, gamma=0.1, noise=0.1))
    assert together.shape == (3, 2)
    alone = linear.gen_loss(100.0, Problem(2.0, ETA, gamma=0.1, noise=0.1))
    assert together[2, 1] == pytest.approx(alone, rel=1e-14)
    one = Problem(0.5, ETA)
    assert np.ndim(linear.gen_loss(1.0, one)) == 0
    many = linear.train_loss(np.arange(1000.0), one)
    np.testing.assert_allclose(many[700], linear.train_loss(700.0, one), rtol=1e-14)


@pytest.mark.parametrize("loss", [linear.train_loss, linear.gen_loss])
def test_scaling_with_output_dimension_and_initialization(loss):
    lambda_ = np.array([0.5, 1.0, 1.5])
    # γ stays as it is when d_out changes.
    for gamma in (0.0, 0.02):
        scaled = loss(900.0, Problem(lambda_, ETA / 9, gamma=gamma)) / 9
        several = loss(900.0, Problem(lambda_, ETA, gamma=gamma, d_out=9))
        np.testing.assert_allclose(several, scaled)
    one, three = (loss(900.0, Problem(lambda_, ETA, alpha=alpha)) for alpha in (1.0, 3.0))
    np.testing.assert_allclose(three, 5.0 * one, rtol=1e-12)


@pytest.mark.parametrize("lambda_", [0.3, 0.9, 1.5, 4.0])
@pytest.mark.parametrize("gamma", [0.0, 1e-3, 0.3])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_floors_are_the_losses_after_a_long_time(lambda_, gamma, noise):
    problem = Problem(lambda_, ETA, gamma=gamma, d_out=3, alpha=2.0, noise=noise)
    for loss, floor in (
        (linear.train_loss, linear.train_loss_floor),
        (linear.gen_loss, linear.gen_loss_floor),
    ):
        assert loss(1e9, problem) == pytest.approx(floor(problem), rel=1e-9, abs=1e-30)


@pytest.mark.parametrize("lambda_", [0.5, 1.0, 2.0])
def test_floors_match_the_stieltjes_transform(lambda_):
    gamma = 0.02
    z = gamma / 2
    root = np.sqrt((z + 1 - lambda_) ** 2 + 4 * lambda_ * z)
    m = (root - (z + 1 - lambda_)) / (2 * lambda_ * z)
    # −dm/dz, from the quadratic equation for m.
    slope = (m + lambda_ * m**2) / root
    problem = Problem(lambda_, ETA, gamma=gamma)
    assert linear.gen_loss_floor(problem) == pytest.approx(z**2 / 2 * slope, rel=1e-9)
    train = z**2 / 2 * (m - z * slope)
    assert linear.train_loss_floor(problem) == pytest.approx(train, rel=1e-9)


def test_floors_without_weight_decay():
    def gen(lambda_, **options):
        return linear.gen_loss_floor(Problem(lambda_, ETA, **options))

    assert gen(0.8, noise=0.1) == pytest.approx(0.4)
    assert gen(1.5, noise=0.1, d_out=2) == pytest.approx(1 / 6 + 0.2)
    assert gen(1.5, alpha=2.0) == pytest.approx(5 / 6)
    assert gen(1.0) == 0.0
    assert gen(1.0, noise=1e-3) == np.inf
    train = linear.train_loss_floor(Problem([0.8, 1.0, 1.5], ETA, noise=0.1))
    np.testing.assert_allclose(train, [0.02, 0, 0])
    # Any weight decay forgets the initial student, so γ → 0 is not γ = 0 at λ > 1.
    assert gen(1.5, gamma=1e-9, alpha=2.0) == pytest.approx(1 / 6, rel=1e-6)


def test_label_noise_changes_the_dynamics():
    """The paper remarks that it does not (erratum)."""
    clean, noisy = linear.gen_loss(1e5, Problem(0.9, ETA, noise=np.array([0.0, 1e-2])))
    assert noisy > 100 * clean


def test_discrete_steps_shift_the_losses():
    problem = Problem(0.1, ETA)
    ratio = linear.gen_loss(1e3, problem, discrete=True) / linear.gen_loss(1e3, problem)
    assert ratio == pytest.approx(0.90, abs=0.01)
    ratio = linear.train_loss(1e3, problem, discrete=True) / linear.train_loss(1e3, problem)
    assert ratio == pytest.approx(0.90, abs=0.01)


@pytest.mark.parametrize("d_out", [1, 2, 50])
def test_accuracy_is_the_share_of_small_errors(d_out):
    """40,000 normal errors; beyond 5 standard deviations of the binomial law: 6e-7 each."""
    loss, samples = 0.3, 40_000
    rng = np.random.default_rng(11)
    errors = (loss * rng.standard_normal((samples, d_out)) ** 2).mean(axis=1)
    for epsilon in (0.05, 0.3, 0.5):
        expected = linear.accuracy(loss, epsilon, d_out)
        deviation = np.sqrt(expected * (1 - expected) / samples)
        assert abs(np.mean(errors <= epsilon) - expected) <= 5 * deviation


def test_accuracy_formulas():
    assert linear.accuracy(0.5, 0.2) == pytest.approx(special.erf(np.sqrt(0.2)), rel=1e-13)
    assert linear.accuracy(1.0, 2.0, 10) == pytest.approx(stats.chi2.cdf(20.0, 10), rel=1e-12)
    np.testing.assert_allclose(linear.accuracy([0.0, 1e300], 1e-3), [1.0, 0.0], atol=1e-100)


def test_loss_threshold_inverts_the_accuracy():
    assert linear.loss_threshold(1e-3) == pytest.approx(0.2603e-3, rel=1e-3)
    assert linear.loss_threshold(1e-3, accuracy=special.erf(np.sqrt(2))) == pytest.approx(2.5e-4)
    d_out = np.array([1, 7, 700])
    threshold = linear.loss_threshold(1e-3, d_out=d_out, accuracy=0.9)
    np.testing.assert_allclose(linear.accuracy(threshold, 1e-3, d_out), 0.9, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("t", -1.0),
        ("t", np.inf),
        ("lambda_", 0.0),
        ("eta", 0.0),
        ("gamma", -1e-9),
        ("d_out", 0),
        ("alpha", np.nan),
        ("noise", -1.0),
    ],
)
@pytest.mark.parametrize("loss", [linear.train_loss, linear.gen_loss])
def test_impossible_arguments_are_named(loss, name, value):
    with pytest.raises(ValueError, match=f"^{name} = "):
        arguments = {"lambda_": 0.5, "eta": ETA, "t": 1.0, name: value}
        loss(arguments.pop("t"), Problem(**arguments))


@pytest.mark.parametrize(
    ("lambda_", "gamma", "d_out"), [(1.0, 0.0, 1), (0.3, 0.0, 2), (0.6, 0.4, 3)]
)
def test_at_the_alternation_rate_a_step_ends_the_fastest_mode(lambda_, gamma, d_out):
    """Literally: a student along the direction of the upper edge, with the teacher at 0."""
    edge = (1 + np.sqrt(lambda_)) ** 2
    x = np.sqrt(edge) * np.eye(2)[0]  # the second moment of the inputs has eigenvalue `edge`

    def loss(student):
        return (np.sum((student.T @ x) ** 2) + gamma / 2 * np.sum(student**2)) / d_out

    student = np.zeros((2, d_out))
    student[0] = 1.0
    step = 1e-6 * student
    slope = (loss(student + step) - loss(student - step)) / 2e-6 / d_out
    rate = linear.alternation_rate(Problem(lambda_, 0.01, gamma=gamma, d_out=d_out))
    np.testing.assert_allclose(1 - rate * slope, 0, atol=1e-6)
    rate = linear.divergence_rate(Problem(lambda_, 0.01, gamma=gamma, d_out=d_out))
    np.testing.assert_allclose(1 - rate * slope, -1, atol=1e-6)


def test_other_impossible_arguments():
    with pytest.raises(ValueError, match=r"eta = 0\.2: .* must be below 0\.125"):
        linear.train_loss(1.0, Problem(1.0, 0.2), discrete=True)
    with pytest.raises(ValueError, match="do not broadcast"):
        linear.gen_loss([1.0, 2.0], Problem([0.5, 0.6, 0.7], ETA))
    with pytest.raises(ValueError, match="accuracy = 1: "):
        linear.loss_threshold(1e-3, accuracy=1.0)
    with pytest.raises(ValueError, match="epsilon = "):
        linear.accuracy(0.1, 0.0)
