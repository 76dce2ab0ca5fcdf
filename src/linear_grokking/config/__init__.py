"""The typed configuration: what each block of `config/config.yaml` and its overlays may say.

How the blocks make a whole, with one section per figure, stands in `workflow.plan`.
"""

from linear_grokking.config.files import load, load_merged
from linear_grokking.config.messages import ConfigurationError

__all__ = ["ConfigurationError", "load", "load_merged"]
