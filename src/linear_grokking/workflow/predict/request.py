"""What theory is asked for: the options of `train`, without its files and its seed."""

from collections.abc import Mapping
from typing import Any

from linear_grokking.workflow.predict.options import (
    ARCHITECTURES,
    name_of,
    option_names,
    spec_of,
)
from linear_grokking.workflow.predict.times import lambda_of

NAMES: Mapping[str, str] = {
    **{name: name for name in ARCHITECTURES},
    "linear": "1layer",
    "two-layer": "2layer_linear",
}
"""How a model may be called, and the architecture of `train` that it is."""


def requested(architecture: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec of the run that is asked for, with λ as ``lambda``.

    Theory knows sizes as λ only, but for a few: where λ is given it is taken as it stands, and
    the sizes are the nearest whole ones.

    Parameters
    ----------
    given
        Values by the names of the options of `train`.

    Raises
    ------
    ValueError
        One line per mistake.
    """
    if architecture not in NAMES:
        raise ValueError(f"{architecture}: no such model; there are {', '.join(NAMES)}")
    spec = spec_of(NAMES[architecture], given, whole=False)
    spec["lambda"] = float(given["lambda"]) if "lambda" in given else lambda_of(spec)
    # Polyak's choice of it, as `train` makes from the sizes.
    if spec["solver"] == "momentum" and "momentum" not in given:
        spec["momentum"] = spec["lambda"]
    return spec


def from_keywords(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return options by their names, from Python's keywords: ``lambda_`` for λ.

    Raises
    ------
    ValueError
        Where a keyword is none.
    """
    given = {}
    for keyword, value in keywords.items():
        name = name_of(keyword.removesuffix("_"))
        if name not in option_names():
            raise ValueError(f"{keyword}: no such option; there are {', '.join(option_names())}")
        if isinstance(value, list | tuple):
            raise ValueError(f"{keyword} = {value}: must be one value")
        given[name] = value
    return given
