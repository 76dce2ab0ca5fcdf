"""The job of Paper B's separability statistics."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from linear_grokking.data import classification
from linear_grokking.jobs.context import JobContext, Results
from linear_grokking.jobs.laws import input_law


def newton(spec: Mapping[str, Any], realizations: Sequence[int], context: JobContext) -> Results:
    """Yield verdict, certificate, limit direction's statistics and margin of each set."""
    from linear_grokking.separability import assess

    law = input_law(spec)
    for realization in realizations:
        data = classification(
            law, seed=spec["seed"], realization=realization, n_train=spec["n_train"], d=spec["d"]
        )
        found = assess(data.inputs, margin=spec["margin"])
        yield (
            realization,
            {
                "separable": np.array([found.separable]),
                "certificate": np.array([str(found.certificate)]),
                **{
                    name: np.array([np.nan if value is None else value], float)
                    for name in ("s_inf_norm", "positive_fraction", "positive_mean", "margin")
                    for value in [getattr(found, name)]
                },
            },
        )
