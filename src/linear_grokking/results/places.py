"""Where results lie: those of all runs, those inside an archive, those that come with a clone."""

from pathlib import Path
from typing import Literal

# ---- what the workflow makes of all runs, relative to the folder of results/ ----

MANIFEST = "results/runs.parquet"
"""The list of all runs."""
CLAIMS = ("results/claims.csv", "results/claims.parquet")
"""What was judged, for people and for programs."""
REPORT = "results/report.html"
ARCHIVE = "results/archive.zip"

# ---- what an archive holds beside them ----

METADATA = "ro-crate-metadata.json"
"""What was run, and each file with its checksum; RO-Crate fixes the name."""
CONFIGURATION = "config/config.yaml"
"""The configuration as merged, where a folder has its own."""

# ---- what comes with the repository ----

REPOSITORY = Path(__file__).parents[3]
"""The clone that this package is of."""

Size = Literal["config", "paper"]
"""Configurations whose figures come along: config/config.yaml alone, or with config/paper.yaml
over it, the papers' own sizes."""

SHIPPED: dict[Size, str] = {"config": "docs/gallery", "paper": "docs/paper_size"}
"""The folder of their pictures, tables and claims."""
