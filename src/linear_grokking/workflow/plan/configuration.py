"""The whole configuration: settings, experiments, and one section per figure."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    SkipValidation,
    StringConstraints,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from linear_grokking.config.experiments import AnyExperiment, name_of
from linear_grokking.config.fields import Natural, OpenProbability, Positive, Section
from linear_grokking.config.figure_options import FigureOptions
from linear_grokking.config.messages import validated
from linear_grokking.config.text import nearest, shown
from linear_grokking.figures import registry

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]


class Config(Section):
    """A validated configuration: common settings, experiments, and options of each figure."""

    seed: Natural = Field(description="Seed of every experiment that does not set its own.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where training runs; auto uses a GPU if there is one."
    )
    accuracy_threshold: OpenProbability = Field(
        0.95, description="Accuracy that counts as reached, in every grokking time."
    )
    loss_threshold: Positive = Field(
        1.0e-3, description="Loss that counts as reached, for the times of losses (B8)."
    )
    job_minutes: Positive = Field(
        10.0, description="Work per job: blocks of realizations are sized to take about this long."
    )
    experiments: dict[Name, AnyExperiment] = Field(description="Grids of runs, by name.")
    figures: SkipValidation[Mapping[str, FigureOptions]] = Field(
        {}, description="What each figure is drawn from."
    )


def read(raw: Mapping[str, Any]) -> Config:
    """Validate a configuration as read from YAML; a key whose value is null counts as absent.

    Raises
    ------
    ConfigurationError
        With one line per mistake: the key, the value, what is allowed and, for an unknown key,
        the nearest known one.
    """
    given = _without_nulls(raw)
    return validated(_whole(_figures_in(given)), given)


def _figures_in(given: Any) -> frozenset[str]:
    """Return the keys of the section ``figures``, if there is one."""
    figures = given.get("figures") if isinstance(given, Mapping) else None
    return frozenset(figures) if isinstance(figures, Mapping) else frozenset()


def read_again(raw: Mapping[str, Any]) -> Config:
    """Read a configuration that `read` has validated in another process, and do so faster.

    The options of a figure are read on demand.  The modules of figures import everything that
    draws them, which would take a third of the start-up time of each job on a cluster.
    """
    given = _without_nulls(raw)
    figures = given.pop("figures", {})
    return validated(Config, {**given, "figures": _Figures(figures)})


def plain_values(config: Config) -> dict[str, Any]:
    """Return a configuration as plain values, from which `read` restores it."""
    figures = {name: _set_in(options) for name, options in config.figures.items()}
    return {**_set_in(config), "figures": figures}


def _set_in(section: Section) -> dict[str, Any]:
    # Leave out what was not set: some keys are allowed only where they have a meaning.
    return section.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"figures"})


class _Figures(Mapping[str, FigureOptions]):
    """The options of figures by ID, in the papers' order, validated on demand."""

    def __init__(self, given: Mapping[str, Any]):
        self._given = {name: given[name] for name in registry.figure_ids() if name in given}

    def __getitem__(self, figure_id: str) -> FigureOptions:
        return registry.module(figure_id).Options.model_validate(self._given[figure_id])

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the configuration, for editors."""
    schema = _whole(frozenset(registry.figure_ids())).model_json_schema(by_alias=True)
    # Docstrings are for readers of the code, and Python may run without them.
    for section in schema["$defs"].values():
        section.pop("description", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "description": "Configuration of every experiment and figure.",
    }


@cache
def _whole(named: frozenset[str]) -> type["_Whole"]:
    """Return the type of the whole configuration, with an optional entry for each figure.

    Only the modules of the ``named`` figures are imported, as they import everything that draws
    them.
    """
    fields: dict[str, Any] = {each: (None, None) for each in registry.figure_ids()}
    for each in named & fields.keys():
        description = registry.title(each)
        fields[each] = (registry.module(each).Options | None, Field(None, description=description))
    figures = create_model("Figures", __base__=Section, **fields)
    by_id: Any = Annotated[figures, AfterValidator(_given)]
    inherited = Config.model_fields["figures"]
    described = Field(inherited.default, description=inherited.description)
    return create_model("Config", __base__=_Whole, figures=(by_id, described))


def _given(figures: Section) -> dict[str, FigureOptions]:
    """Return the options of figures by ID, in the papers' order."""
    return {figure_id: options for figure_id, options in figures if options is not None}


class _Whole(Config):
    @model_validator(mode="after")
    def _references(self) -> Self:
        """Refuse figures that name experiments that do not exist or are of the wrong kind."""
        for figure_id, options in self.figures.items():
            for key, role in options.roles().items():
                name, known = getattr(options, key), self.experiments
                experiment = known.get(name)
                kind = name_of(experiment)
                if experiment is None:
                    there = f"; available: {', '.join(known) or 'none'}"
                    problem = "no experiment has this name" + (nearest(name, known) or there)
                elif kind not in role.kinds or experiment.measure != role.measure:
                    problem = (
                        f"is a {kind} experiment that measures {experiment.measure}; "
                        f"this figure needs {' or '.join(role.kinds)} and {role.measure}"
                    )
                else:
                    continue
                text = f"figures.{figure_id}.{key} = {shown(name)}: {problem}"
                raise PydanticCustomError("reference", "{text}", {"text": text})
        return self


def _without_nulls(value: Any) -> Any:
    """Leave out keys whose value is null, with which an overlay removes keys below it."""
    if not isinstance(value, Mapping):
        return value
    return {key: _without_nulls(item) for key, item in value.items() if item is not None}
