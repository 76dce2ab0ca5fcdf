"""Addition modulo p, an experiment without theory."""

from typing import Annotated, Any, Literal

from pydantic import Field

from linear_grokking.config.experiments.base import Trained
from linear_grokking.config.fields import (
    Axis,
    Count,
    NonNegative,
    OneOf,
    OpenProbability,
    Positive,
    Time,
    refused,
)
from linear_grokking.jobs.kinds import solvers_of


class ModularExperiment(Trained, title="Addition modulo p: a small net that groks"):
    """A net on the pairs (a, b) of numbers modulo p."""

    model: Literal["modular"] = Field(
        description="f(a, b) = W(U_a + V_b)² on pairs of numbers modulo p, mean squared error."
    )
    measure: Literal["dynamics"] = Field("dynamics", description="What is measured.")
    solver: Annotated[str, OneOf(*solvers_of("modular", "dynamics"))] = Field(
        "adamw", description="Literal AdamW, full batches."
    )
    p: Axis[Annotated[Count, Field(ge=2, le=1000)]] = Field((23,), description="Modulus p.")
    train_fraction: Axis[OpenProbability] = Field(
        (0.5,), description="Fraction of the p² pairs in the training set, rounded to whole pairs."
    )
    d_h: Axis[Count] = Field((128,), description="Hidden width.")
    alpha: Axis[Positive] = Field((0.3,), description="Standard deviation of the initial weights.")
    gamma: Axis[NonNegative] = Field(
        (1.0,), description="Weight decay γ: a step subtracts ηγ times each weight from it."
    )
    beta1: OpenProbability = Field(0.9, description="adamw: decay of the first moment.")
    beta2: OpenProbability = Field(0.98, description="adamw: decay of the second moment.")
    adam_epsilon: Positive = Field(1.0e-8, description="adamw: guard of the denominator.")
    t_max: Time = Field(1.0e4, description="Last step.")

    def sized(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """See `Experiment.sized`."""
        spec = dict(parameters)
        fraction, pairs = spec.pop("train_fraction"), spec["p"] ** 2
        spec["n_train"] = parameters["n_train"] = round(fraction * pairs)
        if not 0 < spec["n_train"] < pairs:
            raise refused(
                f"train_fraction = {fraction:g} of {pairs} pairs leaves no pairs for training, or "
                "none for generalization"
            )
        return spec
