"""The job of Paper B's model with labels that the first coordinate decides."""

from collections.abc import Sequence

import numpy as np

from linear_grokking.data.draws import classification, stacked
from linear_grokking.data.laws import InputLaw
from linear_grokking.data.threshold_labels import with_threshold_labels
from linear_grokking.jobs.dynamics import histories
from linear_grokking.jobs.logistic import decays_of
from linear_grokking.models.contract import Params
from linear_grokking.models.losses import Loss
from linear_grokking.models.threshold_labels import ThresholdLabelsModel
from linear_grokking.results.identity import Spec
from linear_grokking.runtime.context import JobContext, Results
from linear_grokking.runtime.devices import mover
from linear_grokking.solvers.trajectory import Solver


def dynamics(
    spec: Spec,
    realizations: Sequence[int],
    context: JobContext,
    *,
    solve: Solver,
    law: InputLaw,
    loss: Loss,
) -> Results:
    """Yield the histories."""
    put = mover(context.device)
    dtype, r = np.dtype(spec["dtype"]), spec["label_fraction"]
    options = {key: spec[key] for key in ("seed", "n_train", "d", "s0_norm")}

    def set_up(batch: Sequence[int]) -> tuple[ThresholdLabelsModel, Params]:
        drawn = [
            with_threshold_labels(
                classification(law, realization=k, dtype=dtype, **options), r, law.sigma
            )
            for k in batch
        ]
        data = stacked(drawn, put)
        model = ThresholdLabelsModel(
            data.inputs,
            data.labels,
            law,
            loss=loss,
            bias=spec["bias"],
            share=r,
            decays=decays_of(spec),
            threads=context.threads,
        )
        weights = np.stack([each.weights for each in drawn]).astype(np.float64)
        return model, (put(weights), put(np.full(len(batch), spec["b0"], np.float64)))

    return histories(spec, realizations, context, solve, set_up)
