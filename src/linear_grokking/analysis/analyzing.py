"""Turn rows into their analysis."""

from dataclasses import dataclass
from typing import Any

from linear_grokking.analysis.classification import Classification, ClassificationAnalysis
from linear_grokking.analysis.regression import EPSILON, Regression, RegressionAnalysis
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
        ``"auto"`` treats labels with two distinct values as classes, and refuses 3 to 10 distinct
        whole numbers, which may be classes or quantities.
    held_out
        Fraction of the rows that is held out.
    seed
        Seed for choosing the held-out rows.
    eta
        Learning rate.
    accuracy
        Accuracy whose times are forecast.
    epsilon
        In regression a row is right if its squared error is at most ε times the mean square
        of the training labels; None is 1e-3.  Classes have none.
    standardize
        First scale the features to mean 0 and standard deviation 1 over the training rows, and
        shift real labels to mean 0.

    Raises
    ------
    ValueError
        If a number is out of range; the message is one line.
    """

    task: Task = "auto"
    held_out: float = 0.2
    seed: int = 0
    eta: float = 0.01
    accuracy: float = 0.95
    epsilon: float | None = None
    standardize: bool = False

    def __post_init__(self) -> None:
        within("eta", self.eta)
        within("accuracy", self.accuracy)
        if self.epsilon is not None:
            within("epsilon", self.epsilon)


def analyze(
    X: Any,
    y: Any,
    *,
    task: Task = "auto",
    held_out: float = 0.2,
    seed: int = 0,
    eta: float = 0.01,
    accuracy: float = 0.95,
    epsilon: float | None = None,
    standardize: bool = False,
) -> ClassificationAnalysis | RegressionAnalysis:
    """Say whether gradient descent from zero on given rows groks, without training.

    Parameters
    ----------
    X : (N, d)
        Features.
    y : (N,)
        Labels: two distinct values, or real numbers.
    task, held_out, seed, eta, accuracy, epsilon, standardize
        See `Settings`.

    Raises
    ------
    ValueError
        The message is one line: what is wrong, and what is allowed.

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
    """Return the object that analyzes checked rows and runs training on them.

    It raises the same errors as `analyze`.
    """
    if task_of(samples.labels, settings.task) == "classification":
        if settings.epsilon is not None:
            raise ValueError(
                f"epsilon = {settings.epsilon:g}: has no meaning for two classes, whose rows are "
                "right or wrong"
            )
        labels, classes = classes_of(samples.labels)
    else:
        labels, classes = samples.labels.astype(float), None
    rows = split(samples.features, labels, held_out=settings.held_out, seed=settings.seed)
    if settings.standardize:
        rows = standardized(rows, samples.names, labels=classes is None)
    if classes is not None:
        return Classification(rows, classes, settings.eta, settings.accuracy)
    epsilon = EPSILON if settings.epsilon is None else settings.epsilon
    return Regression(rows, settings.eta, settings.accuracy, epsilon)
