"""A small run of the workflow, made once, whose report the tests look at."""

import shutil
from pathlib import Path

import pytest
import yaml
from small_run import CONFIGURATION, snakemake

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """Return a folder in which the small configuration was run, with its report."""
    root = tmp_path_factory.mktemp("report")
    shutil.copy(REPOSITORY / "Snakefile", root)
    for folder in ("workflow", "profiles", "src"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=ignored)
    (root / "config").mkdir()
    (root / "config" / "config.yaml").write_text(yaml.safe_dump(CONFIGURATION))
    done = snakemake(root, "all", "report")
    assert done.returncode == 0, done.stdout + done.stderr
    return root
