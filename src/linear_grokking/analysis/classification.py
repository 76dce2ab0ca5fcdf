"""Logistic classification of given rows: separability, limits of training, time to generalize.

Multiplied by minus their labels, the rows (x_i, 1) become points z_i that all carry the label -1,
as in Paper B, with the classifier's bias as one of the coordinates.  This is the paper's model
only if some direction plays the role of the paper's bias, that is, if all points have the same
component along it.  In general the direction of the largest margin takes that role
(`margin_path`, docs/theory.md).
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
from linear_grokking.solvers.trajectory import Outcome, SolverError

ON_MARGIN = 1e-6
"""Largest distance of a support vector from the margin, in units of the margin."""
MOST_LAG = 0.15
"""A forecast is in range if unsettled weights shift its ln t by at most this much."""
GD_STEPS = 200
"""Number of literal gradient-descent steps before the flow takes over."""

_FAILURES: Mapping[Outcome, str] = {
    Outcome.DIVERGED: "the weights or the loss overflowed; lower --lr or use --standardize",
    Outcome.STEP_TOO_SHORT: "no step of the flow, however short, is accurate enough; "
    "lower --lr or use --standardize",
    Outcome.STEP_LIMIT: "the flow needs too many steps; "
    "lower --until or --lr, or use --standardize",
}
"""Why a run stopped early, with the options of `analyze` (the solvers' own advice names keys that
it does not have)."""


@dataclass(frozen=True)
class SetVerdict:
    """Whether the training rows are linearly separable.

    Attributes
    ----------
    separable
        Whether they are separable.
    certificate
        ``"direction"`` and ``"hull"`` are proofs; ``"lp"`` is the unproved result of linear
        programming.
    margin
        The largest distance that all rows can have from the boundary, in the unit of the
        features; None if the rows are not separable or the margin was not found.
    s_inf_norm
        ‖S_∞‖, where S_∞ minimizes the mean of e^{S·z_i} (Paper B, Sec. 3.3), in the inverse unit
        of the features; inf if there is no minimizer, None if the rows are separable.
    """

    separable: bool
    certificate: str
    margin: float | None
    s_inf_norm: float | None


@dataclass(frozen=True)
class ClassificationAnalysis:
    """The analysis of rows whose labels take two values; times are in steps.

    Attributes
    ----------
    task
        ``"classification"``.
    n_train, n_held_out, n_features
        Numbers of training rows, held-out rows and features.
    classes
        The labels that stand for -1 and +1.
    eta, accuracy
        Learning rate, and the accuracy whose times are forecast.
    largest_eta
        Learning rate up to which gradient descent with cross-entropy is stable from the start.
    through_origin, with_bias
        Verdicts on the training rows without and with a bias.
    support
        Number of rows on the largest margin with a bias.  If all rows are on it, the direction
        of the margin plays the role of Paper B's bias.  0 if there is no margin.
    across
        In that case, the verdict on the components of the rows orthogonal to this direction,
        which are Paper B's points, with ‖S_∞‖.  None otherwise.
    limit_train_accuracy, limit_gen_accuracy
        Accuracies on training and held-out rows for t → ∞; the second is None if the margin was
        not found.
    t_train, t_gen
        Forecast times at which gradient descent from zero reaches the accuracy on training and
        on held-out rows; inf if the limit accuracy is lower, None if there is no forecast.
    settling_exponent
        At t_gen, the distance of the weights from their late path falls as t to the power of
        minus this, or faster; None if t_gen is not finite.
    lag_train, lag_gen
        Approximate shifts of ln t_train and ln t_gen by weights that have not settled, None if
        there is no such time.  A forecast is in range if its shift is at most 0.15.
    relaxation_time
        If the rows are not separable: relaxation time, in steps, of the slowest direction at the
        minimum of the loss; inf if there is no minimum because some weights grow forever.
    valid, valid_train
        Whether t_gen and t_train are in the range of their formula.
    remarks
        Why t_gen is out of range, or why there is none.
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
    """The analysis of a split, and runs to compare with it.

    Parameters
    ----------
    rows
        Training and held-out rows, with labels ±1.
    classes
        Names of the two classes.
    eta
        Learning rate.
    accuracy
        Accuracy whose times are forecast.

    Raises
    ------
    ValueError
        If all training rows have the same label.
    """

    def __init__(self, rows: Split, classes: tuple[str, str], eta: float, accuracy: float) -> None:
        if len(np.unique(rows.labels)) < 2:
            raise ValueError(
                "labels: the training rows have only one class; give more rows of the other class, "
                "another seed or a smaller held-out fraction"
            )
        self._classes, self._eta, self._accuracy = classes, eta, accuracy
        self._points = label_constant(rows.inputs, rows.labels)
        self._held = label_constant(rows.held_inputs, rows.held_labels)
        self._path: MarginPath | None = None

    def summary(self) -> ClassificationAnalysis:
        """Return the results that need no run."""
        points, held = self._points, self._held
        with_bias = assessed(points)
        largest = largest_eta(points)
        support, across, relaxation = 0, None, None
        remarks: list[str] = []
        if with_bias.separable:
            end = None if with_bias.margin is None else with_bias.direction
            unknown = "no formula: rows off the margin still matter when the accuracy is reached"
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
                "no formula for quasi-separable rows (some boundary has no row on its wrong side, "
                "but some rows on it): weights grow forever, as log t, while accuracies settle"
            )
        else:
            end, relaxation = minimum(points, self._eta)
            unknown = (
                "no formula for rows that are not separable: the weights go to the minimum of the "
                "loss, exponentially"
            )
        # Separable rows are all classified correctly in the end, even if no margin was found.
        train_limit = 1.0 if end is None else float(np.mean(points @ end < 0))
        gen_limit = None if end is None else float(np.mean(held @ end < 0))
        t_train, lag_train = self._forecast(points, train_limit)
        t_gen, lag_gen = self._forecast(held, gen_limit)
        if t_gen is None:
            remarks.append(unknown)
        elif not _settled(lag_gen):
            remarks.append(
                "the final accuracy is below the target, but may exceed it on the way"
                if np.isinf(t_gen)
                else "the weights have not settled when the accuracy is reached"
            )
        if not self._eta < largest:
            remarks.append(
                "the learning rate is too large: gradient descent is stable only below "
                f"{largest:.3g}"
            )
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
        """Return when the accuracy is reached on points, and the shift of ln t by the lag."""
        if limit is not None and limit < self._accuracy:
            return np.inf, None
        if self._path is None:
            return None, None
        log_time = self._path.log_time_of(points, self._accuracy)
        if np.isinf(log_time):
            return (None, None) if log_time > 0 else (0.0, None)
        return float(np.exp(log_time)), self._path.shift(points, self._accuracy)

    def forecast(self, steps: Float[np.ndarray, " T"]) -> Mapping[str, Float[np.ndarray, " T"]]:
        """Return the accuracies on the late path at given steps, NaN where it has no value."""
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
        """Return losses and accuracies of gradient descent from zero at given steps.

        After the first steps the run follows the flow in log time (`solvers.log_flow`).  If the
        learning rate is too large for a flow, it takes every step literally.

        Raises
        ------
        SolverError
            If the run stops before the last step; the message names options of `analyze`.
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
        if done.outcome is not Outcome.COMPLETED:
            last = done.steps.max(initial=0.0)
            raise SolverError(f"the run stopped after step {last:g}: {_FAILURES[done.outcome]}")
        names = ("train_loss", "gen_loss", "train_accuracy", "gen_accuracy")
        return {name: done.observables[name][0] for name in names}


def label_constant(
    inputs: Float[np.ndarray, "n d"], labels: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "n D"]:
    """Return -y (x, 1), (n, d + 1): points that all carry the label -1."""
    rows = np.hstack([inputs, np.ones((len(inputs), 1))])
    return np.ascontiguousarray(-labels[:, np.newaxis] * rows)


def largest_eta(points: Float[np.ndarray, "N D"]) -> float:
    """Return 2/h, where h = λ_max(ZᵀZ/N)/4 is the cross-entropy's largest curvature at zero."""
    return float(8.0 * len(points) / np.linalg.norm(points, 2) ** 2)


def _settled(lag: float | None) -> bool:
    """Return whether a forecast time is in range.

    An infinite time follows from the limit accuracy and has no lag.  It is not in range, as the
    accuracy may have been higher before the limit.
    """
    return lag is not None and lag <= MOST_LAG


def assessed(points: Float[np.ndarray, "N D"]) -> Separability:
    """Return the verdict on points, with their margin if it can be found."""
    try:
        return assess(points, margin=True)
    except MarginError:
        return assess(points, margin=False)


def verdict(found: Separability) -> SetVerdict:
    """Return the part of a verdict that is shown."""
    return SetVerdict(found.separable, found.certificate, found.margin, found.s_inf_norm)


def _across(
    points: Float[np.ndarray, "N D"], direction: Float[np.ndarray, " D"]
) -> Float[np.ndarray, "N E"]:
    """Return the coordinates of points in the subspace orthogonal to a direction."""
    return points @ np.linalg.svd(direction[np.newaxis])[2][1:].T
