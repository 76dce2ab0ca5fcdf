"""Predictions of theory without a run, as a table or a curve: `linear-grokking predict`."""

from typing import Any

from linear_grokking.workflow.predict import classification, regression
from linear_grokking.workflow.predict.options import in_options
from linear_grokking.workflow.predict.quantities import Predicted, Quantity, Rows
from linear_grokking.workflow.predict.request import from_keywords, requested

__all__ = ["Predicted", "Quantity", "predict"]


def predict(
    architecture: str = "linear", *, target_accuracy: float = 0.95, **options: Any
) -> Predicted:
    """Return everything that theory predicts for a run: times, losses, accuracies and limits.

    Parameters
    ----------
    architecture
        ``"linear"``, ``"two-layer"``, ``"logistic"``, or an architecture of ``train``.
    target_accuracy
        The accuracy whose first times are predicted.
    options
        Options of ``train``, with the same defaults, by the names of the options or by
        configuration keys: ``predict("linear", lambda_=0.9, epsilon=1e-3, solver="momentum")``.

    Returns
    -------
    Predicted
        The quantities by name; each has the source of its formula and the range where it holds.

    Raises
    ------
    ValueError
        With one line per mistake.

    Examples
    --------
    >>> end = predict("logistic", lambda_=0.6, sigma=5)["gen_accuracy_limit"]
    >>> f"{end.value:.3f}; {end.source}"
    '0.634; Paper B, Sec. 3.3; docs/theory.md, The margin above one half'
    >>> found = predict("linear", lambda_=0.9, epsilon=1e-3)
    >>> f"{found['t_gen'].value:.0f} {found['t_gen'].unit}"
    '22634 steps'
    """
    if not 0 < target_accuracy < 1:
        raise ValueError(f"target_accuracy = {target_accuracy}: must be above 0 and below 1")
    spec = requested(architecture, from_keywords(options))
    rows = Rows()
    add = {
        "linear": regression.add_one_layer,
        "two_layer": regression.add_two_layers,
        "logistic": classification.add,
    }
    try:
        add[spec["model"]](rows, spec, target_accuracy)
    except ValueError as error:
        raise ValueError(in_options(str(error), spec["model"])) from None
    return Predicted(spec, target_accuracy, tuple(rows.found))
