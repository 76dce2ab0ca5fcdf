"""The typed configuration: what `config/config.yaml` and its overlays may say."""

from linear_grokking.config.files import load, load_merged
from linear_grokking.config.messages import ConfigurationError
from linear_grokking.config.root import Config, json_schema, read, read_again

__all__ = [
    "Config",
    "ConfigurationError",
    "json_schema",
    "load",
    "load_merged",
    "read",
    "read_again",
]
