"""The options for what is trained and how, and the run that they describe.

The meaning of an option, its default and its allowed values come from the typed experiments of the
configuration.  Only names that differ, and sizes that have no default there, are defined here.
"""

import argparse
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Literal, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from linear_grokking.config import ConfigurationError
from linear_grokking.config.experiments import EXPERIMENTS, AnyExperiment
from linear_grokking.config.fields import (
    MAX_SIZE,
    Count,
    OneOf,
    OpenProbability,
    Positive,
    Section,
)
from linear_grokking.config.messages import reader, validated

ARCHITECTURES: Mapping[str, Mapping[str, str]] = {
    "1layer": {"model": "linear"},
    "2layer_linear": {"model": "two_layer", "activation": "identity"},
    "2layer_nonlinear": {"model": "two_layer", "activation": "tanh"},
    "logistic": {"model": "logistic"},
}
"""The names on the command line, and the keys of an experiment that they fix."""

_SIZES: Mapping[str, Mapping[str, int]] = {
    "linear": {"n_train": 1111},
    "two_layer": {"n_train": 1111, "d_h": 200},
    "logistic": {"n_train": 1000, "d": 400},
}
"""Defaults of sizes that a configuration must give: λ = 0.9, and 0.4 for logistic."""

_KEYS = {
    "lr": "eta",
    "weight_decay": "gamma",
    "n_epochs": "t_max",
    "accuracy_threshold": "epsilon",
    "n_test": "n_gen",
}
"""Configuration keys of the options whose names differ from them."""

_ALIASES = {"optimizer": "solver", "d": "d_in"}
"""Options by further names; `d` is the logistic model's key for the input dimension."""

_FURTHER_NAMES = {key: name for name, key in _KEYS.items()} | _ALIASES
"""Options by all names that are not their own: configuration keys and aliases."""

_NO_OPTIONS = {"model", "measure", "activation", "lambda"}
"""Keys that the architecture fixes, and λ, whose option is added separately."""

_SIZE_OF_LAMBDA = {"linear": "n_train", "two_layer": "n_train", "logistic": "d"}
"""The size that follows from λ if λ is given."""


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for what is trained and how, including λ, to a parser."""
    for title in dict.fromkeys(_options().values()):
        group = parser.add_argument_group(title)
        for name in (name for name, its in _options().items() if its == title):
            _add(group, name)
    parser.add_argument(
        "--lambda",
        dest="lambda",
        type=reader(Positive),
        default=argparse.SUPPRESS,
        metavar="X",
        help="lambda = d_in/n_train, instead of n_train (instead of d_in for logistic)",
    )


def spellings(name: str) -> list[str]:
    """Return all names of an option, with underscores and with dashes."""
    aliases = (alias for alias, meant in _ALIASES.items() if meant == name)
    names = [f"--{each}" for each in (name, _KEYS.get(name, name), *aliases)]
    return list(dict.fromkeys(each for one in names for each in (one, one.replace("_", "-"))))


def option_names() -> tuple[str, ...]:
    """Return the names of the options for what is trained and how, including λ."""
    return (*_options(), "lambda")


def further_names() -> tuple[str, ...]:
    """Return the other names of options: configuration keys and aliases."""
    return tuple(_FURTHER_NAMES)


def name_of(key: str) -> str:
    """Return the name of an option that is given by another name, or by its own."""
    return _FURTHER_NAMES.get(key, key)


def given_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return those options for what is trained and how that were given, by name."""
    return {name: getattr(options, name) for name in option_names() if hasattr(options, name)}


def spec_of(
    architecture: str, given: Mapping[str, Any], *, seed: int = 0, whole: bool = True
) -> dict[str, Any]:
    """Return the canonical spec of the run that options describe.

    Parameters
    ----------
    given
        Values by the names of the options.
    whole
        Whether whole sizes must give exactly the given λ; otherwise the nearest sizes are used.

    Raises
    ------
    ValueError
        With one line per mistake: the option, its value, and what is allowed.
    """
    model = ARCHITECTURES[architecture]["model"]
    known = EXPERIMENTS[model].parameters()
    asked = {}
    for name, value in given.items():
        key = _key(name, model)
        if key not in known:
            users = ", ".join(_users(name))
            raise ValueError(
                f"{_flag(name)}: has no meaning with --architecture {architecture}; "
                f"it applies to {users}"
            )
        asked[key] = value
    sizes = dict(_SIZES[model])
    if "lambda" in asked:
        sizes.pop(_SIZE_OF_LAMBDA[model], None)
    experiment = {**sizes, **ARCHITECTURES[architecture], **asked}
    if not whole:
        experiment = _nearest_sizes(experiment, model)
    raw = {"experiments": {"train": experiment}}
    try:
        (point,) = validated(_Experiments, raw).experiments["train"].grid(seed)
    except ConfigurationError as error:
        raise ValueError(in_options(str(error), model)) from None
    return point.spec


def _nearest_sizes(experiment: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return an experiment with the nearest whole sizes in place of λ.

    An experiment that is invalid, or gives all sizes besides λ, is returned as it is.
    """
    sizes = dict(experiment)
    follows = _SIZE_OF_LAMBDA[model]
    leads = "n_train" if follows == "d" else "d_in"
    if "lambda" not in sizes or follows in sizes:
        return sizes
    size = sizes[leads] if leads in sizes else EXPERIMENTS[model].parameters()[leads].default[0]
    try:
        lambda_ = TypeAdapter(Positive).validate_python(sizes["lambda"])
        size = TypeAdapter(Count).validate_python(size)
    except ValidationError:
        return sizes  # the experiment's own validation has the better message
    del sizes["lambda"]
    exact = size * lambda_ if follows == "d" else size / lambda_
    return {**sizes, follows: min(max(1, round(min(exact, MAX_SIZE))), MAX_SIZE)}


def in_options(message: str, model: str) -> str:
    """Return a message with the names of options in place of configuration keys."""
    options = {_key(name, model): _flag(name) for name in option_names()}
    renamed = "|".join(_KEYS.values())
    return re.sub(
        rf"^\w+|(?<=sets |keys )\w+|(?<=needs )\w+|(?<= and )\w+(?=;)|\b({renamed})\b",
        lambda found: options.get(found[0], found[0]),
        message.replace("experiments.train: ", "").replace("experiments.train.", ""),
        flags=re.MULTILINE,
    )


class _Experiments(Section):
    experiments: dict[str, AnyExperiment]


def add_target_accuracy(group: Any) -> None:
    """Add the option for the accuracy whose first times are reported."""
    group.add_argument(
        *spellings("target_accuracy"),
        type=reader(OpenProbability),
        default=0.95,
        metavar="X",
        help="accuracy whose first times are reported; default 0.95",
    )


def _add(group: Any, name: str) -> None:
    """Add an option whose meaning the configuration defines."""
    if name == "bias":
        group.add_argument(
            *spellings("no_bias"),
            dest=name,
            action="store_false",
            default=argparse.SUPPRESS,
            help="Train without a bias: f = S·x.",
        )
        return
    parts = [part for _, info, _ in _found(name) for part in _parts(info)]
    group.add_argument(
        *spellings(name),
        dest=name,
        default=argparse.SUPPRESS,
        metavar="N" if int in parts else "NAME" if _choices(parts) else "X",
        help=_help(name).replace("%", "%%"),
    )


def _flag(name: str) -> str:
    """Return how an option is written; the bias can only be left out."""
    return "--no_bias" if name == "bias" else f"--{name}"


def _key(name: str, model: str) -> str:
    """Return the configuration key of an option."""
    return "d" if (name, model) == ("d_in", "logistic") else _KEYS.get(name, name)


@cache
def _options() -> Mapping[str, str]:
    """Return every option with its group: the first class of experiments that declares its key."""
    found: dict[str, str] = {}
    for model in _SIZES:
        for section in reversed(EXPERIMENTS[model].mro()):
            if not issubclass(section, Section):
                continue
            declared = inspect.get_annotations(section)
            title = section.model_config.get("title") or ""
            for key in EXPERIMENTS[model].parameters():
                if key in declared and key not in _NO_OPTIONS:
                    found.setdefault(name_of(key), title)
    return found


def _found(name: str) -> Iterator[tuple[str, FieldInfo, Any]]:
    """Yield the model, field and default for each model that has an option."""
    for model in _SIZES:
        key = _key(name, model)
        info = EXPERIMENTS[model].parameters().get(key)
        if info is not None:
            default = _SIZES[model].get(key, info.default)
            yield model, info, default[0] if isinstance(default, tuple) else default


def _users(name: str) -> list[str]:
    """Return the architectures for which an option has a meaning."""
    models = {model for model, _, _ in _found(name)}
    return [name for name, fixed in ARCHITECTURES.items() if fixed["model"] in models]


_MODEL_NAMES = {"linear": "1layer", "two_layer": "2layer", "logistic": "logistic"}


def _help(name: str) -> str:
    """Return an option's description, choices and default, by model if they differ."""
    texts: dict[str, list[str]] = {}
    for model, info, default in _found(name):
        words = (info.description or "").replace(", instead of lambda", "")
        choices = _choices(_parts(info))
        if choices:
            words += f" One of {', '.join(choices)}."
        if default is not None:
            shown = default if isinstance(default, str) else f"{default:g}"
            words += f" Default {shown}."
        texts.setdefault(words, []).append(_MODEL_NAMES[model])
    if len(texts) == 1:
        ((words, models),) = texts.items()
        everywhere = len(models) == len(_SIZES) or models == ["logistic"]
        return words if everywhere else f"{', '.join(models)}: {words}"
    return " ".join(f"{', '.join(models)}: {words}" for words, models in texts.items())


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield an annotation or a field, and everything nested in it."""
    yield annotation
    if isinstance(annotation, FieldInfo):
        inside = (annotation.annotation, *annotation.metadata)
    else:
        inside = get_args(annotation)
    for part in inside:
        yield from _parts(part)


def _choices(parts: Iterable[Any]) -> list[str]:
    """Return the names that parts of an annotation allow."""
    found: list[str] = []
    for part in parts:
        if isinstance(part, OneOf):
            found += part.names
        elif get_origin(part) is Literal:
            found += get_args(part)
    return found
