"""From rows to their analysis."""

from dataclasses import dataclass
from typing import Any

from linear_grokking.analysis.classification import Classification, ClassificationAnalysis
from linear_grokking.analysis.regression import Regression, RegressionAnalysis
from linear_grokking.analysis.samples import (
    Samples,
    Task,
    checked,
    classes_of,
    split,
    standardized,
    task_of,
)
from linear_grokking.theory._domain import within


@dataclass(frozen=True)
class Settings:
    """How rows are analyzed.

    Attributes
    ----------
    task
        ``"auto"`` takes labels of two values for classes.
    held_out
        Fraction of the rows that is held out.
    seed
        Seed of their choice.
    eta
        Learning rate.
    accuracy
        That times are of.
    epsilon
        In regression a row is right if its squared error is at most ε times the mean square
        of the training labels.
    standardize
        Bring features to mean 0 and deviation 1 over the training rows first, and real labels
        to mean 0.

    Raises
    ------
    ValueError
        In one line, where a number is out of its range.
    """

    task: Task = "auto"
    held_out: float = 0.2
    seed: int = 0
    eta: float = 0.01
    accuracy: float = 0.95
    epsilon: float = 1e-3
    standardize: bool = False

    def __post_init__(self) -> None:
        within("lr", self.eta, "(0, inf)")
        within("accuracy", self.accuracy, "(0, 1)")
        within("epsilon", self.epsilon, "(0, inf)")


def analyze(
    X: Any,
    y: Any,
    *,
    task: Task = "auto",
    held_out: float = 0.2,
    seed: int = 0,
    eta: float = 0.01,
    accuracy: float = 0.95,
    epsilon: float = 1e-3,
    standardize: bool = False,
) -> ClassificationAnalysis | RegressionAnalysis:
    """Say whether gradient descent from zero on given rows groks, without training.

    Parameters
    ----------
    X : (N, d)
        Features.
    y : (N,)
        Labels: of two values, or real numbers.
    task, held_out, seed, eta, accuracy, epsilon, standardize
        See `Settings`.

    Raises
    ------
    ValueError
        In one line: what is wrong, and what is allowed.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((1500, 500))
    >>> found = analyze(X, X @ np.ones(500))
    >>> print(f"{found.t_train:.0f} and {found.t_gen:.0f} steps; in range: {found.valid}")
    580 and 836 steps; in range: True
    """
    settings = Settings(task, held_out, seed, eta, accuracy, epsilon, standardize)
    return prepared(checked(X, y), settings).summary()


def prepared(samples: Samples, settings: Settings) -> Classification | Regression:
    """Return what analyzes checked rows, and runs beside; errors as `analyze`."""
    if task_of(samples.labels, settings.task) == "classification":
        labels, classes = classes_of(samples.labels)
    else:
        labels, classes = samples.labels.astype(float), None
    rows = split(samples.features, labels, held_out=settings.held_out, seed=settings.seed)
    if settings.standardize:
        rows = standardized(rows, samples.names, labels=classes is None)
    if classes is not None:
        return Classification(rows, classes, settings.eta, settings.accuracy)
    return Regression(rows, settings.eta, settings.accuracy, settings.epsilon)
