"""The validated configuration, and its schema."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from linear_grokking.config.experiments import Experiment
from linear_grokking.config.figures import FigureOptions, figure_ids
from linear_grokking.config.messages import explain
from linear_grokking.config.model import config_model


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
    """Validate a configuration as YAML gives it; a key whose value is null counts as absent.

    Raises
    ------
    ConfigurationError
        One line per mistake: the key, the value, what is allowed and, for an unknown key,
        the nearest known one.
    """
    given = _without_nulls(raw)
    try:
        return Config(config_model().model_validate(given))
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
