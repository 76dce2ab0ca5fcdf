"""Paths of results: of all runs, inside an archive, and those that come with the repository."""

from pathlib import Path
from typing import Literal

# ---- what the workflow makes of all runs, relative to the folder of results/ ----

MANIFEST = "results/runs.parquet"
"""The list of all runs."""
CLAIMS = ("results/claims.csv", "results/claims.parquet")
"""The claims with their verdicts, for people and for programs."""
DOES_X_HELP = (
    *(f"figures/X1.{suffix}" for suffix in ("pdf", "svg", "png")),
    *(f"figures/tables/X1.{suffix}" for suffix in ("csv", "parquet")),
)
"""The table made from them."""
REPORT = "results/report.html"
ARCHIVE = "results/archive.zip"

# ---- what an archive holds beside them ----

METADATA = "ro-crate-metadata.json"
"""What was run, and each file with its checksum; RO-Crate fixes the name."""
CONFIGURATION = "config/config.yaml"
"""The merged configuration, at the path where a working directory has its own."""

# ---- what comes with the repository ----

REPOSITORY = Path(__file__).parents[3]
"""The clone that contains this package."""

Size = Literal["config", "paper"]
"""Configurations whose figures come with the repository: config/config.yaml alone, or with
config/paper.yaml, the papers' own sizes, over it."""

SHIPPED: dict[Size, str] = {"config": "docs/gallery", "paper": "docs/paper_size"}
"""The folder of their pictures, tables and claims."""
