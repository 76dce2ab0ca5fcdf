"""The repository, and where results are that come with it."""

from pathlib import Path
from typing import Literal

REPOSITORY = Path(__file__).parents[3]
"""The clone that this package is of."""

Size = Literal["config", "paper"]
"""Configurations whose figures come along: config/config.yaml alone, or with config/paper.yaml
over it, the papers' own sizes."""

SHIPPED: dict[Size, str] = {"config": "docs/gallery", "paper": "docs/paper_size"}
"""The folder of their pictures, tables and claims."""
