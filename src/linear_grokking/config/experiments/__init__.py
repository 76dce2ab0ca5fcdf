"""Typed experiments: model, solver, parameters (a list is an axis), realizations.

Each class turns its grid into `GridPoint`s: the parameters under their configuration
keys, and the canonical spec of the run, which holds only physical sizes and the keys that the
run's numbers depend on.  A class's ``title`` is what users see, in the schema and above the
options of `train`.  Solvers and their keys come from `jobs.kinds`, laws and theirs from
`data.laws`, losses from `models.losses`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import Discriminator, Tag

from linear_grokking.config.experiments.base import Experiment
from linear_grokking.config.experiments.classification import (
    LogisticExperiment,
    SeparabilityExperiment,
    TwoPointExperiment,
)
from linear_grokking.config.experiments.modular import ModularExperiment
from linear_grokking.config.experiments.regression import (
    GrokkingTimesExperiment,
    LinearExperiment,
    TwoLayerExperiment,
)

BY_MEASURE = ("separability", "grokking_times")
"""Measures whose experiments have a class of their own, of the same name."""


def name_of(value: Any) -> str | None:
    """Choose the class of an experiment: by measure where that has its own, others by model."""
    read = value.get if isinstance(value, dict) else lambda key: getattr(value, key, None)
    measure = read("measure")
    name = measure if measure in BY_MEASURE else read("model")
    return name if isinstance(name, str) else None


AnyExperiment = Annotated[
    Annotated[LinearExperiment, Tag("linear")]
    | Annotated[TwoLayerExperiment, Tag("two_layer")]
    | Annotated[LogisticExperiment, Tag("logistic")]
    | Annotated[SeparabilityExperiment, Tag("separability")]
    | Annotated[GrokkingTimesExperiment, Tag("grokking_times")]
    | Annotated[TwoPointExperiment, Tag("two_point")]
    | Annotated[ModularExperiment, Tag("modular")],
    Discriminator(name_of),
]

EXPERIMENTS: Mapping[str, type[Experiment]] = {
    tag.tag: experiment
    for experiment, tag in (get_args(each) for each in get_args(get_args(AnyExperiment)[0]))
}
"""The classes of experiments by name."""

PARAMETERS = tuple(dict.fromkeys(key for each in EXPERIMENTS.values() for key in each.parameters()))
"""Every parameter of an experiment, under its configuration key."""
