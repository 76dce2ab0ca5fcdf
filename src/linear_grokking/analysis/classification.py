"""Logistic classification of given rows: separable or not, where it ends, when it generalizes.

Multiplied by minus their labels, rows (x_i, 1) are points z_i that all carry the label -1: the
picture of Paper B, with the bias as one of the coordinates.  Only where some other direction plays
the part of its bias, all points being equally far along it, is it the paper's model; in general
the direction of the largest margin takes that part (`margin_path`, docs/theory.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from linear_grokking.analysis.inseparable import minimum, quasi_separable_end
from linear_grokking.analysis.margin_path import MarginPath, margin_path
from linear_grokking.analysis.samples import Split
from linear_grokking.data.laws import LAWS
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.models.losses import CrossEntropy
from linear_grokking.shapes import Float
from linear_grokking.solvers.gradient_descent import gradient_descent
from linear_grokking.solvers.log_flow import gradient_flow
from linear_grokking.solvers.separability import MarginError, Separability, assess

ON_MARGIN = 1e-6
"""Largest distance from the margin, in units of it, of a support vector."""
MOST_LAG = 0.15
"""Largest shift of ln t by what has not settled with which a forecast is in its range."""
GD_STEPS = 200
"""Literal steps with which a run begins; the flow takes over then."""


@dataclass(frozen=True)
class SetVerdict:
    """Whether the training rows are linearly separable.

    Attributes
    ----------
    separable
        Whether they are.
    certificate
        ``"direction"`` and ``"hull"`` are proofs; ``"lp"`` is what linear programming says.
    margin
        Largest distance of all rows from the boundary, in the unit of the features; None where
        not separable, or where it was not found.
    s_inf_norm
        ‖S_∞‖, S_∞ the minimizer of the mean of e^{S·z_i} (Paper B, Sec. 3.1), in the inverse unit
        of the features; inf where there is none, None where separable.
    """

    separable: bool
    certificate: str
    margin: float | None
    s_inf_norm: float | None


@dataclass(frozen=True)
class ClassificationAnalysis:
    """What is known of rows with labels of two values; times are in steps.

    Attributes
    ----------
    task
        ``"classification"``.
    n_train, n_held_out, n_features
        Training rows, held-out rows, features.
    classes
        The labels that stand for -1 and +1.
    eta, accuracy
        Learning rate, and the accuracy that times are of.
    largest_eta
        Up to there, gradient descent with cross-entropy is stable from the start.
    through_origin, with_bias
        Verdicts on the training rows without and with a bias.
    support
        Rows on the largest margin with bias; all of them are where one direction plays the
        part of Paper B's bias.  0 where there is no margin.
    across
        In that case the verdict on what is left of the rows across this direction: Paper B's
        points, with ‖S_∞‖.  None otherwise.
    limit_train_accuracy, limit_gen_accuracy
        Of training and held-out rows for t → ∞; the second is None where the margin was not found.
    t_train, t_gen
        Forecast of the times at which gradient descent from zero reaches the accuracy on
        training and on held-out rows; inf where its limit is below, None where nothing is
        forecast.
    settling_exponent
        At t_gen what the weights are still away from their late path falls as t to minus this
        or faster; None where t_gen is not finite.
    lag_train, lag_gen
        About how much ln t_train and ln t_gen are shifted by what has not settled, None where
        there is no such time; they are in their range up to 0.15.
    relaxation_time
        Where not separable: that of the slowest direction at the minimum of the loss, in steps;
        inf where there is none, as some weights grow for ever.
    valid, valid_train
        Whether t_gen, and t_train, are in the range of their formula.
    remarks
        Why t_gen is not, or why there is none.
    """

    task: str
    n_train: int
    n_held_out: int
    n_features: int
    classes: tuple[str, str]
    eta: float
    accuracy: float
    largest_eta: float
    through_origin: SetVerdict
    with_bias: SetVerdict
    support: int
    across: SetVerdict | None
    limit_train_accuracy: float
    limit_gen_accuracy: float | None
    t_train: float | None
    t_gen: float | None
    settling_exponent: float | None
    lag_train: float | None
    lag_gen: float | None
    relaxation_time: float | None
    valid: bool
    valid_train: bool
    remarks: tuple[str, ...]


class Classification:
    """The analysis of a split, and runs beside it.

    Parameters
    ----------
    rows
        Labels are ±1.
    classes
        Names of the two.
    eta
        Learning rate.
    accuracy
        That times are of.

    Raises
    ------
    ValueError
        Where all training rows have one label.
    """

    def __init__(self, rows: Split, classes: tuple[str, str], eta: float, accuracy: float) -> None:
        if len(np.unique(rows.labels)) < 2:
            raise ValueError(
                "labels: one class only among the training rows; give more rows of the other, "
                "another seed or a smaller held-out fraction"
            )
        self._classes, self._eta, self._accuracy = classes, eta, accuracy
        self._points = label_constant(rows.inputs, rows.labels)
        self._held = label_constant(rows.held_inputs, rows.held_labels)
        self._path: MarginPath | None = None

    def summary(self) -> ClassificationAnalysis:
        """Return what is found without a run."""
        points, held = self._points, self._held
        with_bias = assessed(points)
        largest = largest_eta(points)
        support, across, relaxation = 0, None, None
        remarks: list[str] = []
        if with_bias.separable:
            end = None if with_bias.margin is None else with_bias.direction
            unknown = "no formula: rows off the margin decide while the accuracy is reached"
            if end is None:
                unknown = (
                    "the largest margin was not found: features differ too much in size, or lie "
                    "too far from 0; --standardize helps"
                )
            else:
                support = int(np.sum(-points @ end <= 1.0 + ON_MARGIN))
                if support == len(points):
                    across = verdict(assessed(_across(points, end)))
                self._path = margin_path(points, end, self._eta)
        elif with_bias.s_inf_norm == np.inf:
            end, relaxation = quasi_separable_end(points), np.inf
            unknown = (
                "no formula for rows that are quasi-separable, a boundary having none on its wrong "
                "side, but some on it: weights grow for ever, as log t, while accuracies settle"
            )
        else:
            end, relaxation = minimum(points, self._eta)
            unknown = (
                "no formula for rows that are not separable: the weights go to the minimum of the "
                "loss, exponentially"
            )
        # Separable rows end right, whatever the margin.
        train_limit = 1.0 if end is None else float(np.mean(points @ end < 0))
        gen_limit = None if end is None else float(np.mean(held @ end < 0))
        t_train, lag_train = self._forecast(points, train_limit)
        t_gen, lag_gen = self._forecast(held, gen_limit)
        if t_gen is None:
            remarks.append(unknown)
        elif not _settled(lag_gen):
            remarks.append(
                "it ends below the accuracy, but may pass it on the way"
                if np.isinf(t_gen)
                else "the weights have not settled when the accuracy comes"
            )
        if not self._eta < largest:
            remarks.append(f"steps are too long: gradient descent is stable below {largest:.3g}")
        exponent = None
        if self._path is not None and t_gen is not None and 0 < t_gen < np.inf:
            exponent = self._path.settling_exponent(np.log(t_gen))
        n_train, width = points.shape
        return ClassificationAnalysis(
            task="classification",
            n_train=n_train,
            n_held_out=len(held),
            n_features=width - 1,
            classes=self._classes,
            eta=self._eta,
            accuracy=self._accuracy,
            largest_eta=largest,
            through_origin=verdict(assessed(points[:, :-1])),
            with_bias=verdict(with_bias),
            support=support,
            across=across,
            limit_train_accuracy=train_limit,
            limit_gen_accuracy=gen_limit,
            t_train=t_train,
            t_gen=t_gen,
            settling_exponent=exponent,
            lag_train=lag_train,
            lag_gen=lag_gen,
            relaxation_time=relaxation,
            valid=not remarks,
            valid_train=_settled(lag_train) and self._eta < largest,
            remarks=tuple(remarks),
        )

    def _forecast(
        self, points: Float[np.ndarray, "n D"], limit: float | None
    ) -> tuple[float | None, float | None]:
        """Return the time of the accuracy on points, and the shift of ln t by the lag."""
        if limit is not None and limit < self._accuracy:
            return np.inf, None
        if self._path is None:
            return None, None
        log_time = self._path.log_time_of(points, self._accuracy)
        if np.isinf(log_time):
            return (None, None) if log_time > 0 else (0.0, None)
        return float(np.exp(log_time)), self._path.shift(points, self._accuracy)

    def forecast(self, steps: Float[np.ndarray, " T"]) -> Mapping[str, Float[np.ndarray, " T"]]:
        """Return the accuracies of the late path at some steps, NaN where it does not say."""
        found = {name: np.full(len(steps), np.nan) for name in ("train_accuracy", "gen_accuracy")}
        if self._path is None:
            return found
        with np.errstate(divide="ignore"):
            log_steps = np.log(steps)
        for name, points in zip(found, (self._points, self._held), strict=True):
            log_time, accuracies = self._path.accuracies(points)
            inside = (log_steps > 0) & (log_steps <= log_time[-1])
            found[name][inside] = np.interp(log_steps[inside], log_time[1:], accuracies[1:])
        return found

    def run(self, steps: Float[np.ndarray, " T"]) -> Mapping[str, Float[np.ndarray, " T"]]:
        """Return losses and accuracies of gradient descent from zero at some steps.

        The flow in log time after the first steps (`solvers.log_flow`); where steps are too long
        for a flow, all of them literally.
        """
        points, held = (
            np.ascontiguousarray(each[np.newaxis]) for each in (self._points, self._held)
        )
        model = LogisticModel(
            points,
            -np.ones(points.shape[:2]),
            LAWS["gaussian"](sigma=1.0),  # not used, as there are held-out points
            loss=CrossEntropy(),
            bias=False,
            fresh=held,
        )
        start = np.zeros((1, points.shape[2])), np.zeros(1)
        if self._eta < largest_eta(self._points):
            done = gradient_flow(model, start, eta=self._eta, steps=steps, gd_steps=GD_STEPS)
        else:
            done = gradient_descent(model, start, eta=self._eta, steps=steps)
        done.require_completed()
        names = ("train_loss", "gen_loss", "train_accuracy", "gen_accuracy")
        return {name: done.observables[name][0] for name in names}


def label_constant(
    inputs: Float[np.ndarray, "n d"], labels: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "n D"]:
    """Return -y (x, 1), (n, d + 1): points that all carry the label -1."""
    rows = np.hstack([inputs, np.ones((len(inputs), 1))])
    return np.ascontiguousarray(-labels[:, np.newaxis] * rows)


def largest_eta(points: Float[np.ndarray, "N D"]) -> float:
    """Return 2 over the largest curvature of the cross-entropy at zero, λ_max(ZᵀZ/N)/4."""
    return float(8.0 * len(points) / np.linalg.norm(points, 2) ** 2)


def _settled(lag: float | None) -> bool:
    """Tell whether a time is in its range; an infinite one, that of the limit, has no lag.

    The accuracy may have been higher before.
    """
    return lag is not None and lag <= MOST_LAG


def assessed(points: Float[np.ndarray, "N D"]) -> Separability:
    """Return the verdict on points with their margin, or without it where it is not found."""
    try:
        return assess(points, margin=True)
    except MarginError:
        return assess(points, margin=False)


def verdict(found: Separability) -> SetVerdict:
    """Return what is shown of a verdict."""
    return SetVerdict(found.separable, found.certificate, found.margin, found.s_inf_norm)


def _across(
    points: Float[np.ndarray, "N D"], direction: Float[np.ndarray, " D"]
) -> Float[np.ndarray, "N E"]:
    """Return coordinates of points orthogonal to a direction."""
    return points @ np.linalg.svd(direction[np.newaxis])[2][1:].T
