"""A small run of the workflow, made once, whose report and archive the tests look at."""

from pathlib import Path

import pytest
import yaml
from copies import copy_workflow
from small_run import CONFIGURATION, MADE, snakemake


@pytest.fixture(scope="session")
def built(once) -> Path:
    """Return a folder in which the small configuration was run, with its report and archive."""

    def fill(root: Path) -> None:
        copy_workflow(root)
        (root / "config").mkdir()
        (root / "config" / "config.yaml").write_text(yaml.safe_dump(CONFIGURATION))
        code, said = snakemake(root, *MADE, "--config", "seed=1")
        assert code == 0, said

    return once("report", fill)
