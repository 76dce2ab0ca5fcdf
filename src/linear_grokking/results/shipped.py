"""Where results are that come with the repository."""

from typing import Literal

Size = Literal["config", "paper"]
"""Configurations whose figures come along: config/config.yaml alone, or with config/paper.yaml
over it, the papers' own sizes."""

SHIPPED: dict[Size, str] = {"config": "docs/gallery", "paper": "docs/paper_size"}
"""The folder of their pictures, tables and claims."""
