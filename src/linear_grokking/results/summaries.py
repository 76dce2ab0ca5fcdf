"""Runs reduced over realizations: scalars, and summaries of them and of curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from linear_grokking.results.scalars import (
    TIMES,
    curves,
    observables,
    of_dynamics,
    of_grokking_times,
    of_outputs,
    of_separability,
)
from linear_grokking.results.statistics import (
    as_floats,
    of_curve,
    of_proportion,
    of_values,
)
from linear_grokking.shapes import Columns

CERTIFICATES = ("direction", "hull", "lp")


def scalars_of(rows: Columns, request: Mapping[str, Any]) -> Columns:
    """Return the scalars of a run from the rows of its blocks (`scalars`).

    Parameters
    ----------
    request
        ``spec``, ``threshold`` and ``loss_threshold``.
    """
    measure = request["spec"]["measure"]
    if measure == "separability":
        return of_separability(rows)
    if measure == "outputs":
        return of_outputs(rows)
    if measure == "grokking_times":
        return of_grokking_times(rows)
    thresholds = {key: request[key] for key in ("threshold", "loss_threshold")}
    return of_dynamics(rows, **thresholds)


def summary_of(rows: Columns, scalars: Columns, measure: str) -> Columns:
    """Return the summary of a run from the rows of its blocks and its scalars.

    Curves are named like the rows' columns, numbers like those of the scalars (`statistics`
    describes the columns of a summary).

    Raises
    ------
    ValueError
        If a value of a curve is NaN, or steps differ between realizations.
    """
    if measure == "separability":
        return summarize_separability(scalars)
    parts = []
    if measure == "dynamics":
        names = observables(rows)
        _, steps, *values = curves(rows, *names)
        parts += [of_curve(name, steps, v) for name, v in zip(names, values, strict=True)]
    for name in scalars:
        if name != "realization":
            # Exact times are not censored: there, infinite means never.
            censored = np.isinf(scalars[name]) & (name in TIMES and measure == "dynamics")
            parts.append(of_values(name, scalars[name], censored=censored))
    return _joined(parts)


def summarize_separability(scalars: Columns) -> Columns:
    """Summarize verdicts, limit directions and margins (Paper B, Sec. 3).

    Parameters
    ----------
    scalars
        Columns ``realization``, ``separable``, ``certificate``, ``s_inf_norm``,
        ``positive_fraction``, ``positive_mean``, ``positive_projection``, ``margin``,
        ``box_margin``, ``box_norm``; null where undefined.

    Returns
    -------
    Columns
        Scalars.  ``separable`` and ``certificate_<kind>`` are proportions; ``s_inf_norm`` counts
        separable draws as infinite; the ``positive_…`` quantities are over the inseparable
        draws, margins over the separable ones.

    Raises
    ------
    ValueError
        If a certificate is unknown.
    """
    unknown = set(scalars["certificate"]) - set(CERTIFICATES)
    if unknown:
        raise ValueError(f"certificate must be one of {CERTIFICATES}; got {sorted(unknown)}")
    separable = np.asarray(scalars["separable"], bool)
    positive = ("positive_fraction", "positive_mean", "positive_projection")
    instead = {"s_inf_norm": np.inf, **dict.fromkeys(positive, np.nan)}
    values = {
        name: np.where(separable, value, as_floats(scalars[name]))
        for name, value in instead.items()
    }
    for name in ("margin", "box_margin", "box_norm"):
        values[name] = np.where(separable, as_floats(scalars[name]), np.nan)
    n = len(separable)
    kinds = np.asarray(scalars["certificate"])
    return _joined(
        [
            of_proportion("separable", int(separable.sum()), n),
            *(of_values(name, each) for name, each in values.items()),
            *(
                of_proportion(f"certificate_{kind}", int(np.sum(kinds == kind)), n)
                for kind in CERTIFICATES
            ),
        ]
    )


def _joined(parts: Sequence[Columns]) -> Columns:
    """Concatenate the rows of summaries."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
