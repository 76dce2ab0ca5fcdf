"""The whole configuration: settings, experiments, and one section per figure."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, create_model, model_validator
from pydantic_core import PydanticCustomError

from linear_grokking.config.experiments import AnyExperiment, Experiment, name_of
from linear_grokking.config.fields import Natural, OpenProbability, Positive, Section
from linear_grokking.config.figure_options import FigureOptions
from linear_grokking.config.messages import validated
from linear_grokking.config.text import nearest, shown
from linear_grokking.figures import registry

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]


class Settings(Section):
    """Settings that every experiment shares, and the experiments."""

    seed: Natural = Field(description="Seed of every experiment that sets none of its own.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where training runs; auto takes a GPU where there is one."
    )
    accuracy_threshold: OpenProbability = Field(
        0.95, description="Accuracy that counts as reached, in every grokking time."
    )
    loss_threshold: Positive = Field(
        1.0e-3, description="Loss that counts as reached, where times are those of losses (B8)."
    )
    job_minutes: Positive = Field(
        10.0, description="Work per job: blocks of realizations are cut to last about this long."
    )
    experiments: dict[Name, AnyExperiment] = Field(description="Grids of runs, by name.")


class Config:
    """A validated configuration: its settings, and the options of each figure."""

    def __init__(self, settings: Settings, figures: Mapping[str, FigureOptions]):
        self.seed = settings.seed
        self.device = settings.device
        self.accuracy_threshold = settings.accuracy_threshold
        self.loss_threshold = settings.loss_threshold
        self.job_minutes = settings.job_minutes
        self.experiments: Mapping[str, Experiment] = settings.experiments
        self.figures = figures


def read(raw: Mapping[str, Any]) -> Config:
    """Validate a configuration as YAML gives it; a key whose value is null counts as absent.

    Raises
    ------
    ConfigurationError
        One line per mistake: the key, the value, what is allowed and, for an unknown key,
        the nearest known one.
    """
    settings: Any = validated(_whole(), _without_nulls(raw))
    options = {name: getattr(settings.figures, name) for name in registry.figure_ids()}
    return Config(settings, {name: each for name, each in options.items() if each is not None})


def read_again(raw: Mapping[str, Any]) -> Config:
    """Return what `read` returned in another process, sooner.

    Figures are not looked at until they are asked for: their modules import all that draws
    them, which would be a third of what each job of a cluster takes to start.
    """
    given = _without_nulls(raw)
    figures = given.pop("figures", {})
    return Config(validated(Settings, given), _Figures(figures))


class _Figures(Mapping[str, FigureOptions]):
    """The options of figures by ID, in the papers' order, validated when asked for."""

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
    schema = _whole().model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


@cache
def _whole() -> type[Settings]:
    """Return the typed root: the settings, and an optional entry per figure module."""
    fields: dict[str, Any] = {
        figure_id: (registry.module(figure_id).Options | None, Field(None, description=title))
        for figure_id, title in ((each, registry.title(each)) for each in registry.figure_ids())
    }
    figures = create_model("Figures", __base__=Section, **fields)
    described = Field(description="What each figure is drawn from.")
    about = "Configuration of every experiment and figure."
    return create_model("Config", __base__=_Root, __doc__=about, figures=(figures, described))


class _Root(Settings):
    """Settings with figures that name experiments."""

    figures: Any

    @model_validator(mode="after")
    def _references(self) -> Self:
        """Refuse figures that name experiments which do not exist or are of another kind."""
        _check_references(self)
        return self


def _check_references(settings: _Root) -> None:
    for figure_id in registry.figure_ids():
        options = getattr(settings.figures, figure_id)
        for key, role in options.roles().items() if options else ():
            name = getattr(options, key)
            experiment = settings.experiments.get(name)
            kind = name_of(experiment)
            if experiment is None:
                known = settings.experiments
                there = f"; there are {', '.join(known)}" if known else "; there are none"
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


def _without_nulls(value: Any) -> Any:
    """Leave out keys whose value is null: an overlay removes what lies below it so."""
    if not isinstance(value, Mapping):
        return value
    return {key: _without_nulls(item) for key, item in value.items() if item is not None}
