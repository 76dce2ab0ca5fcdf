"""The typed root of the configuration: settings, experiments, and one section per figure."""

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, create_model, model_validator
from pydantic_core import PydanticCustomError

from linear_grokking.config.experiments import AnyExperiment, kind_of
from linear_grokking.config.fields import Natural, OpenProbability, Positive, Section
from linear_grokking.config.figures import figure_ids, figure_module
from linear_grokking.config.text import nearest, shown

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]


@cache
def figures_model() -> type[Section]:
    """Return the typed section `figures`: one optional entry per figure module."""
    fields: dict[str, Any] = {}
    for figure_id in figure_ids():
        module = figure_module(figure_id)
        summary = (module.__doc__ or "").strip().splitlines()[0]
        fields[figure_id] = (module.Options | None, Field(None, description=summary))
    return create_model("Figures", __base__=Section, **fields)


class Settings(Section):
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
def config_model() -> type[Settings]:
    """Return the typed root of the configuration."""
    return create_model(
        "Config",
        __base__=Settings,
        __doc__="Configuration of every experiment and figure.",
        __validators__={"references": model_validator(mode="after")(_check_references)},
        figures=(figures_model(), Field(description="What each figure is drawn from.")),
    )


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
                    "no experiment has this name"
                    + (nearest(name, settings.experiments) or _all_names(settings.experiments)),
                )
            if kind_of(experiment) not in role.kinds or experiment.measure != role.measure:
                raise _reference(
                    where,
                    name,
                    f"is a {kind_of(experiment)} experiment that measures {experiment.measure}; "
                    f"this figure needs {' or '.join(role.kinds)} and {role.measure}",
                )
    return settings


def _all_names(experiments: Any) -> str:
    return f"; there are {', '.join(experiments)}" if experiments else "; there are none"


def _reference(where: str, name: str, problem: str) -> PydanticCustomError:
    return PydanticCustomError(
        "reference",
        "{where} = {name}: {problem}",
        {"where": where, "name": shown(name), "problem": problem},
    )
