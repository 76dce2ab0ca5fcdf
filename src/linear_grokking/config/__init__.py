"""The typed configuration: what each block of `config/config.yaml` and its overlays may say.

How the blocks make a whole, with one section per figure, stands in `workflow.plan`.
"""

from linear_grokking.config.files import MAIN, load, load_merged, main_file
from linear_grokking.config.messages import ConfigurationError

__all__ = ["MAIN", "ConfigurationError", "load", "load_merged", "main_file"]
