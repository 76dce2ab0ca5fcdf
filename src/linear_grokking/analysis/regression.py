"""Linear regression of given rows: spectrum, forecast times, and how to shorten them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from linear_grokking.analysis.random_teacher import accuracy, random_teacher
from linear_grokking.analysis.samples import Split
from linear_grokking.shapes import Float
from linear_grokking.solvers.spectral import GradientDescent, SpectralPath
from linear_grokking.theory.first_order import Momentum, residuals

EPSILON = 1e-3
"""Largest squared error of a right row by default, in units of the labels' mean square."""
SHOWN_EIGENVALUES = 5
MOST_DEVIATION = 0.08
"""Largest relative standard deviation of t_gen with which a forecast is in range."""

_GRID = 300
_TAIL = 40.0
"""Time after which nothing changes, in units of the slowest mode's decay time."""


@dataclass(frozen=True)
class RegressionAnalysis:
    """The analysis of rows with real labels; times are in steps.

    Attributes
    ----------
    task
        ``"regression"``.
    n_train, n_held_out, n_features
        Numbers of training rows, held-out rows and features.
    eta, accuracy, epsilon
        Learning rate; the accuracy whose times are forecast; a row is right if its squared error
        is at most ε times the mean square of the training labels.
    lambda_
        d/N of the training rows.
    smallest_eigenvalues
        The five smallest positive eigenvalues of Σ = XᵀX/N, in the squared unit of the features.
    smallest, largest
        Edges of the positive spectrum of Σ, in the same unit.
    null_directions
        Number of directions along which no training row has a component.
    label_noise
        Share of the labels' mean square that no linear function explains; 0 if the training
        rows cannot tell (λ ≥ 1).
    largest_eta
        Learning rate from which on gradient descent diverges.
    t_train, t_gen
        Forecast times at which gradient descent from zero reaches the accuracy on training and
        on held-out rows, on average over teachers; inf means never.
    t_gen_deviation
        Standard deviation of t_gen over teachers and held-out rows; None if t_gen is 0 or inf.
    effective_modes
        Effective number of modes that carry the held-out loss at t_gen; None if t_gen is 0 or inf.
    tuned_eta, tuned_momentum
        Polyak's learning rate and momentum for this spectrum, as torch.optim.SGD takes them.
    tuned_t_train, tuned_t_gen
        The same forecast times with them.
    largest_weight_decay
        Largest γ with which the accuracy on held-out rows is still reached in the end, for steps
        that subtract ηγS from the student S; None if no γ works, inf if every γ does.
    valid
        Whether the forecast is in range.
    remarks
        Why it is not in range.
    """

    task: str
    n_train: int
    n_held_out: int
    n_features: int
    eta: float
    accuracy: float
    epsilon: float
    lambda_: float
    smallest_eigenvalues: tuple[float, ...]
    smallest: float
    largest: float
    null_directions: int
    label_noise: float
    largest_eta: float
    t_train: float
    t_gen: float
    t_gen_deviation: float | None
    effective_modes: float | None
    tuned_eta: float
    tuned_momentum: float
    tuned_t_train: float
    tuned_t_gen: float
    largest_weight_decay: float | None
    valid: bool
    remarks: tuple[str, ...]


class Regression:
    """The analysis of a split, and runs to compare with it.

    Parameters
    ----------
    rows
        Training and held-out rows.
    eta
        Learning rate.
    accuracy
        Accuracy whose times are forecast.
    epsilon
        See `RegressionAnalysis`.

    Raises
    ------
    ValueError
        If gradient descent diverges on the training rows, or their labels or features are all 0.
    """

    def __init__(self, rows: Split, eta: float, accuracy: float, epsilon: float) -> None:
        size = float(np.sqrt(np.mean(rows.labels**2)))
        if size == 0:
            raise ValueError("labels: all are 0 in the training rows; there is nothing to learn")
        self._rows = Split(
            rows.inputs, rows.labels / size, rows.held_inputs, rows.held_labels / size
        )
        self._eta, self._accuracy, self._epsilon = eta, accuracy, epsilon
        self._modes = random_teacher(self._rows.inputs, self._rows.labels, self._rows.held_inputs)
        self._largest_eta = float(1.0 / self._modes.eigenvalues[-1])
        if not eta < self._largest_eta:
            raise ValueError(
                f"eta = {eta:g}: gradient descent diverges on these rows; must be below "
                f"{self._largest_eta:.4g}, or standardize the features"
            )

    def summary(self) -> RegressionAnalysis:
        """Return the results that need no run."""
        modes, eta = self._modes, self._eta
        values = modes.eigenvalues
        n_train, d = self._rows.inputs.shape
        rates = 2.0 * eta * values[[0, -1]]
        last = _TAIL / min(rates[0], 2.0 - rates[1])
        times = {name: self._time(name, self._descent, last) for name in ("train", "gen")}
        tuned = tuned_momentum(values[0], values[-1])
        tuned_times = [self._tuned_time(name, tuned) for name in ("train", "gen")]
        deviation = effective = None
        remarks: list[str] = []
        if 0 < times["gen"] < np.inf:
            by_teacher, by_rows, effective = self._scatter(times["gen"])
            deviation = float(np.hypot(by_teacher, by_rows))
            if deviation > MOST_DEVIATION * times["gen"]:
                remarks.append(
                    f"only {effective:.2g} modes carry the loss at t_gen: it depends on the teacher"
                    if by_teacher >= by_rows
                    else f"only {len(self._rows.held_labels)} rows are held out: t_gen depends on "
                    "which rows these are"
                )
        if times["gen"] == np.inf and self._may_be_reached():
            remarks.append(
                "the final accuracy is so close to the target that the choice of held-out rows "
                "decides whether it is reached"
            )
        if times["gen"] > 0 and np.mean(self._rows.labels**2 <= self._epsilon) >= self._accuracy:
            remarks.append(
                "most labels are close to 0, unlike a teacher's, so these rows are right from the "
                "start"
            )
        if len(values) == n_train:
            remarks.append("at least as many features as rows: label noise is assumed to be 0")
        return RegressionAnalysis(
            task="regression",
            n_train=n_train,
            n_held_out=len(self._rows.held_labels),
            n_features=d,
            eta=eta,
            accuracy=self._accuracy,
            epsilon=self._epsilon,
            lambda_=d / n_train,
            smallest_eigenvalues=tuple(values[:SHOWN_EIGENVALUES].tolist()),
            smallest=float(values[0]),
            largest=float(values[-1]),
            null_directions=d - len(values),
            label_noise=min(1.0, modes.noise),
            largest_eta=self._largest_eta,
            t_train=times["train"],
            t_gen=times["gen"],
            t_gen_deviation=deviation,
            effective_modes=effective,
            tuned_eta=tuned.eta,
            tuned_momentum=tuned.momentum,
            tuned_t_train=tuned_times[0],
            tuned_t_gen=tuned_times[1],
            largest_weight_decay=self._largest_weight_decay(),
            valid=not remarks,
            remarks=tuple(remarks),
        )

    def _descent(self, steps: Float[np.ndarray, " T"]) -> Float[np.ndarray, "T K"]:
        """Return the share of each mode that gradient descent has not yet learned at given steps.

        This is (1 - a)ᵗ with a = 2ην; between whole steps, |1 - a|ᵗ with the sign of the nearest
        whole step.
        """
        rates = 2.0 * self._eta * self._modes.eigenvalues
        # |1 - a| is the same for 2 - a, and the smaller of the two gives real powers at any step.
        # Plain descent ignores the squared errors.
        left, _ = GradientDescent(1.0).relaxation(
            np.minimum(rates, 2.0 - rates), np.ones_like(rates), steps
        )
        odd = np.rint(steps)[:, np.newaxis] % 2 == 1
        return np.where((rates > 1.0) & odd, -left, left)

    def _accuracies(self, name: str, left: Float[np.ndarray, "T K"]) -> Float[np.ndarray, " T"]:
        of_rows = {"train": self._modes.train_variances, "gen": self._modes.gen_variances}
        return accuracy(of_rows[name](left), self._epsilon)

    def _time(
        self,
        name: str,
        left_at: Callable[[Float[np.ndarray, " T"]], Float[np.ndarray, "T K"]],
        last: float,
    ) -> float:
        """Return the first time at which an accuracy is reached; inf if not by ``last``."""

        def excess(log_step: float) -> float:
            at = left_at(np.exp(np.array([log_step])))
            return float(self._accuracies(name, at)[0]) - self._accuracy

        log_steps = np.linspace(np.log(0.1), np.log(max(last, 1.0)), _GRID)
        found = self._accuracies(name, left_at(np.exp(log_steps)))
        reached = np.flatnonzero(found >= self._accuracy)
        if not len(reached):
            return np.inf
        if reached[0] == 0:
            return 0.0
        ends = log_steps[reached[0] - 1 : reached[0] + 1]
        return float(np.exp(brentq(excess, *ends, xtol=1e-9)))

    def _tuned_time(self, name: str, method: Momentum) -> float:
        """Return the first whole step at which tuned momentum reaches an accuracy."""
        slowness = -2.0 / np.log(method.momentum) if method.momentum > 0 else 1.0
        last = _TAIL * slowness
        steps = np.unique(np.rint(np.geomspace(1.0, max(2.0, last), _GRID)))
        for _ in range(2):  # first a coarse grid, then every step between two of its points
            left = residuals(method, 2.0 * self._modes.eigenvalues, steps)
            reached = np.flatnonzero(self._accuracies(name, left) >= self._accuracy)
            if not len(reached):
                return np.inf
            first, before = float(steps[reached[0]]), float(steps[max(reached[0] - 1, 0)])
            if first - before > _GRID:
                break
            steps = np.arange(before, first + 1.0)
        return first

    def _scatter(self, time: float) -> tuple[float, float, float]:
        """Return the standard deviations of t_gen over teachers and over rows, and effective modes.

        The first is the standard deviation of the held-out loss, and the second that of the count
        of right rows, each divided by the slope at t_gen.
        """
        around = self._descent(time * np.array([0.99, 1.0, 1.01]))
        here = around[1:2]
        losses = self._modes.gen_variances(around).mean(axis=1)
        accuracies = self._accuracies("gen", around)
        count = np.sqrt(self._accuracy * (1.0 - self._accuracy) / len(self._rows.held_labels))
        by_teacher = 0.02 * time * self._modes.gen_deviation(here)[0] / abs(losses[0] - losses[2])
        by_rows = 0.02 * time * count / abs(accuracies[2] - accuracies[0])
        return by_teacher, by_rows, float(self._modes.effective_modes(here)[0])

    def _may_be_reached(self) -> bool:
        """Return whether the accuracy may be reached in the end for some choices of held-out rows.

        It may if it is at most 2.5 standard deviations of the count away.
        """
        end = self._accuracies("gen", np.zeros((1, len(self._modes.eigenvalues))))[0]
        count = np.sqrt(end * (1.0 - end) / len(self._rows.held_labels))
        return bool(end + 2.5 * count >= self._accuracy)

    def _largest_weight_decay(self) -> float | None:
        values = self._modes.eigenvalues

        def excess(log_gamma: Float[np.ndarray, " G"]) -> Float[np.ndarray, " G"]:
            half = 0.5 * np.exp(log_gamma)[:, np.newaxis]
            return self._accuracies("gen", half / (values + half)) - self._accuracy

        log_gammas = np.log(values[-1]) + np.linspace(np.log(1e-12), np.log(1e6), _GRID)
        reached = np.flatnonzero(excess(log_gammas) >= 0)
        if not len(reached):
            return None
        if reached[-1] == _GRID - 1:
            return np.inf
        ends = log_gammas[reached[-1] : reached[-1] + 2]
        root = brentq(lambda at: float(excess(np.array([at]))[0]), *ends, xtol=1e-9)
        return float(np.exp(root))

    def forecast(self, steps: Float[np.ndarray, " T"]) -> Mapping[str, Float[np.ndarray, " T"]]:
        """Return losses and accuracies at given steps, on average over teachers."""
        left = self._descent(steps)
        variances = self._modes.train_variances(left), self._modes.gen_variances(left)
        return {
            "train_loss": variances[0].mean(axis=1),
            "gen_loss": variances[1].mean(axis=1),
            "train_accuracy": accuracy(variances[0], self._epsilon),
            "gen_accuracy": accuracy(variances[1], self._epsilon),
        }

    def run(self, steps: Float[np.ndarray, " T"]) -> Mapping[str, Float[np.ndarray, " T"]]:
        """Return losses and accuracies of gradient descent from zero on the labels themselves.

        Losses are in units of the labels' mean square.  The result is exact at any number of steps
        (`solvers.spectral`): the teacher is set to zero and the labels enter as noise.
        """
        rows = self._rows
        nothing = np.zeros((rows.inputs.shape[1], 1))
        path = SpectralPath(
            rows.inputs,
            rows.labels[:, np.newaxis],
            (nothing, nothing),
            GradientDescent(self._eta),
            0.0,
        )
        students = path.deviation(steps)[:, :, 0]
        found: dict[str, np.ndarray] = {}
        for name, inputs, labels in (
            ("train", rows.inputs, rows.labels),
            ("gen", rows.held_inputs, rows.held_labels),
        ):
            errors = (students @ inputs.T - labels) ** 2
            found[f"{name}_loss"] = errors.mean(axis=1)
            found[f"{name}_accuracy"] = np.mean(errors <= self._epsilon, axis=1)
        return found


def tuned_momentum(smallest: float, largest: float) -> Momentum:
    """Return Polyak's momentum and learning rate for eigenvalues of Σ between two edges.

    As the curvatures are 2ν, η = 2/(√ν₊ + √ν₋)² and β = ((√ν₊ - √ν₋)/(√ν₊ + √ν₋))².  At the edges
    of the Marchenko-Pastur law these are ½ and λ.
    """
    low, high = np.sqrt(smallest), np.sqrt(largest)
    return Momentum(float(2.0 / (high + low) ** 2), float(((high - low) / (high + low)) ** 2))
