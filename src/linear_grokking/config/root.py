"""The root of the configuration, its validation in one-line messages, and its schema."""

import difflib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, StringConstraints, ValidationError, create_model, model_validator
from pydantic_core import PydanticCustomError

from linear_grokking.config.experiments import EXPERIMENT_KINDS, AnyExperiment, Experiment, _kind
from linear_grokking.config.fields import Natural, OpenProbability, Positive, Section
from linear_grokking.config.figures import FigureOptions, figure_ids, figure_module

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]


class ConfigurationError(ValueError):
    """A configuration that cannot be used; the message has one line per mistake."""


@cache
def figures_model() -> type[Section]:
    """Return the typed section `figures`: one optional entry per figure module."""
    fields: dict[str, Any] = {}
    for figure_id in figure_ids():
        module = figure_module(figure_id)
        summary = (module.__doc__ or "").strip().splitlines()[0]
        fields[figure_id] = (module.Options | None, Field(None, description=summary))
    return create_model("Figures", __base__=Section, **fields)


class _Settings(Section):
    """Settings that every experiment shares, and the experiments."""

    seed: Natural = Field(description="Seed of every experiment that sets none of its own.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where training runs; auto takes a GPU where there is one."
    )
    accuracy_threshold: OpenProbability = Field(
        0.95, description="Accuracy that counts as reached, in every grokking time."
    )
    job_minutes: Positive = Field(
        10.0, description="Work per job: blocks of realizations are cut to last about this long."
    )
    experiments: dict[Name, AnyExperiment] = Field(description="Grids of runs, by name.")


@cache
def config_model() -> type[_Settings]:
    """Return the typed root of the configuration."""
    return create_model(
        "Config",
        __base__=_Settings,
        __doc__="Configuration of every experiment and figure.",
        __validators__={"references": model_validator(mode="after")(_check_references)},
        figures=(figures_model(), Field(description="What each figure is drawn from.")),
    )


class Config:
    """A validated configuration."""

    def __init__(self, settings: Any):
        self.seed: int = settings.seed
        self.device: str = settings.device
        self.accuracy_threshold: float = settings.accuracy_threshold
        self.job_minutes: float = settings.job_minutes
        self.experiments: dict[str, Experiment] = settings.experiments
        self.figures: dict[str, FigureOptions] = {
            figure_id: options
            for figure_id in figure_ids()
            if (options := getattr(settings.figures, figure_id)) is not None
        }


def read(raw: Mapping[str, Any]) -> Config:
    """Validate a configuration as YAML gives it.

    Raises
    ------
    ConfigurationError
        One line per mistake: the key, the value, what is allowed and, for an unknown key,
        the nearest known one.
    """
    try:
        return Config(config_model().model_validate(raw))
    except ValidationError as error:
        lines = [_message(raw, detail) for detail in error.errors(include_url=False)]
        raise ConfigurationError("\n".join(dict.fromkeys(lines))) from None


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the configuration, for editors."""
    schema = config_model().model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _check_references(settings: Any) -> Any:
    """Refuse figures that name experiments which do not exist or are of another kind."""
    for figure_id in figure_ids():
        options = getattr(settings.figures, figure_id)
        for key, role in options.roles().items() if options else ():
            where = f"figures.{figure_id}.{key}"
            name = getattr(options, key)
            experiment = settings.experiments.get(name)
            if experiment is None:
                raise _reference(
                    where,
                    name,
                    "no experiment has this name" + _nearest(name, settings.experiments),
                )
            if _kind(experiment) not in role.kinds or experiment.measure != role.measure:
                raise _reference(
                    where,
                    name,
                    f"is a {_kind(experiment)} experiment that measures {experiment.measure}; "
                    f"this figure needs {' or '.join(role.kinds)} and {role.measure}",
                )
    return settings


def _reference(where: str, name: str, problem: str) -> PydanticCustomError:
    return PydanticCustomError(
        "reference",
        "{where} = {name}: {problem}",
        {"where": where, "name": name, "problem": problem},
    )


def _nearest(key: str, known: Any) -> str:
    close = difflib.get_close_matches(str(key), [str(k) for k in known], n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


def _message(raw: Any, detail: Any) -> str:
    """Say one mistake in one line."""
    path = _plain_path(raw, detail["loc"])
    where = ".".join(str(part) for part in path) or "configuration"
    if detail["type"] == "reference":
        return detail["msg"]
    if detail["type"] == "extra_forbidden":
        known = sorted(_known_keys(raw, path[:-1]))
        return f"{where}: unknown key{_nearest(path[-1], known)} (allowed: {', '.join(known)})"
    if detail["type"] == "missing":
        return f"{where}: is missing"
    if detail["type"].startswith("union_tag"):
        kinds = sorted(set(EXPERIMENT_KINDS) - {"separability"})
        value = _shown(detail["input"].get("model")) if isinstance(detail["input"], Mapping) else ""
        return (
            f"{where}.model = {value or 'nothing'}: must be one of {', '.join(kinds)} "
            "(or set measure: separability)"
        )
    if detail["type"] in {"one_of", "only_with", "grid", "size", "law"}:
        return f"{where}: {detail['msg']}"
    return f"{where} = {_shown(detail['input'])}: {_allowed(detail)}"


def _allowed(detail: Any) -> str:
    message = detail["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _shown(value: Any) -> str:
    text = str(value).replace("\n", " ")
    return text if len(text) <= 60 else text[:57] + "..."


def _plain_path(raw: Any, loc: tuple) -> list:
    """Drop from a location the parts that pydantic adds: union tags and axis positions."""
    path: list = []
    for position, part in enumerate(loc):
        tag = position == 2 and loc[0] == "experiments" and part in EXPERIMENT_KINDS
        if not tag and part != "[key]":
            path.append(part)
    node = raw
    for depth, part in enumerate(path):
        if isinstance(part, int) and not isinstance(node, list | tuple):
            return path[:depth]
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            break
    return path


def _known_keys(raw: Any, parents: list) -> Iterator[str]:
    """Yield the keys that a section may have."""
    model: Any = config_model()
    if parents[:1] == ["figures"]:
        model = figures_model() if len(parents) == 1 else None
        if model is None:
            model = figure_module(parents[1]).Options
            for part in parents[2:]:
                model = _section_type(model.model_fields[part].annotation)
    elif parents[:1] == ["experiments"]:
        model = EXPERIMENT_KINDS[_kind(raw["experiments"][parents[1]])]
    for name, info in model.model_fields.items():
        yield info.alias or name


def _section_type(annotation: Any) -> type[Section]:
    """Return the section type in an annotation such as ``Span | None``."""
    return next(part for part in (annotation, *get_args(annotation)) if isinstance(part, type))
