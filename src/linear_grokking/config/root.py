"""The validated configuration, and its schema."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from linear_grokking.config.experiments import Experiment
from linear_grokking.config.figures import FigureOptions, figure_ids, figure_module
from linear_grokking.config.messages import explain
from linear_grokking.config.model import Settings, config_model


class Config:
    """A validated configuration: its settings, and the options of each figure."""

    def __init__(self, settings: Settings, figures: Mapping[str, FigureOptions]):
        self.seed: int = settings.seed
        self.device: str = settings.device
        self.accuracy_threshold: float = settings.accuracy_threshold
        self.job_minutes: float = settings.job_minutes
        self.experiments: dict[str, Experiment] = settings.experiments
        self.figures = figures


def read(raw: Mapping[str, Any]) -> Config:
    """Validate a configuration as YAML gives it; a key whose value is null counts as absent.

    Raises
    ------
    ConfigurationError
        One line per mistake: the key, the value, what is allowed and, for an unknown key,
        the nearest known one.
    """
    given = _without_nulls(raw)
    settings = _validated(config_model(), given)
    options = {figure_id: getattr(settings.figures, figure_id) for figure_id in figure_ids()}
    return Config(settings, {name: each for name, each in options.items() if each is not None})


def read_again(raw: Mapping[str, Any]) -> Config:
    """Return what `read` returned in another process, sooner.

    Figures are not looked at until they are asked for: their modules import all that draws
    them, which would be a third of what each job of a cluster takes to start.
    """
    given = _without_nulls(raw)
    figures = given.pop("figures", {})
    return Config(_validated(Settings, given), _Figures(figures))


class _Figures(Mapping[str, FigureOptions]):
    """The options of figures by ID, in the papers' order, validated when asked for."""

    def __init__(self, given: Mapping[str, Any]):
        self._given = {name: given[name] for name in figure_ids() if name in given}

    def __getitem__(self, figure_id: str) -> FigureOptions:
        return figure_module(figure_id).Options.model_validate(self._given[figure_id])

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


def _validated(model: type[Settings], given: Mapping[str, Any]) -> Settings:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise explain(given, error) from None


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the configuration, for editors."""
    schema = config_model().model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _without_nulls(value: Any) -> Any:
    """Leave out keys whose value is null: an overlay removes what lies below it so."""
    if not isinstance(value, Mapping):
        return value
    return {key: _without_nulls(item) for key, item in value.items() if item is not None}
