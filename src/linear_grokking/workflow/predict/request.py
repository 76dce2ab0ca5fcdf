"""The run that theory is asked about: the options of `train`, without its files and seed."""

from collections.abc import Mapping
from typing import Any

from linear_grokking.config.text import nearest
from linear_grokking.data.input_law import SampledLaw
from linear_grokking.data.laws import LAWS, Gaussian
from linear_grokking.workflow.predict.options import (
    ARCHITECTURES,
    further_names,
    name_of,
    option_names,
    spec_of,
)
from linear_grokking.workflow.predict.times import lambda_of

NAMES: Mapping[str, str] = {
    **{name: name for name in ARCHITECTURES},
    "linear": "1layer",
    "two-layer": "2layer_linear",
    "two_layer": "2layer_linear",
}
"""Names of models, and the architecture of `train` that each stands for."""


def requested(architecture: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec of the requested run, with λ as ``lambda``.

    Most formulas depend on the sizes only through λ.  If λ is given, its exact value is used, and
    the sizes are the nearest whole numbers.

    Parameters
    ----------
    given
        Values by the names of the options of `train`.

    Raises
    ------
    ValueError
        With one line per mistake.
    """
    if architecture not in NAMES:
        raise ValueError(f"{architecture}: no such model; available: {', '.join(NAMES)}")
    law = LAWS.get(str(given.get("law")), Gaussian)
    if architecture == "logistic" and issubclass(law, SampledLaw):
        given = {"n_test": 1, **given}  # formulas need no fresh inputs
    spec = spec_of(NAMES[architecture], given, whole=False)
    spec["lambda"] = float(given["lambda"]) if "lambda" in given else lambda_of(spec)
    # Polyak's choice, λ; `train` computes it from the sizes.
    if spec["solver"] == "momentum" and "momentum" not in given:
        spec["momentum"] = spec["lambda"]
    return spec


def from_keywords(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return options by their names, from Python keywords such as ``lambda_`` for λ.

    Raises
    ------
    ValueError
        If a keyword is not an option, or its value is a list.
    """
    given = {}
    for keyword, value in keywords.items():
        name = name_of(keyword.removesuffix("_"))
        if name not in option_names():
            known = (*option_names(), *further_names(), "target_accuracy")
            hint = nearest(keyword, known)
            raise ValueError(f"{keyword}: no such option{hint}; available: {', '.join(known)}")
        if isinstance(value, list | tuple):
            raise ValueError(f"{keyword} = {value}: must be one value")
        if name in given:
            raise ValueError(f"{keyword} = {value}: {name} is given twice")
        given[name] = value
    return given
