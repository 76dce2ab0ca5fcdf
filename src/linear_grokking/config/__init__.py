"""The typed configuration: what `config/config.yaml` and its overlays may say."""

from linear_grokking.config.root import Config, ConfigurationError, json_schema, read

__all__ = ["Config", "ConfigurationError", "json_schema", "read"]
