"""The workflow from elsewhere: another working directory, a module of another workflow, a copy."""

import shutil
import subprocess
import sys

import pytest
import snakemake_server
import yaml

from linear_grokking.workflow.plan import Plan, read, targets

SETS = {"measure": "separability", "n_train": 20, "d": [6, 8], "realizations": 4}
OPTIONS = {
    "statistics": "sets",
    "margins": "sets",
    "lambda": {"start": 0.3, "stop": 0.45, "points": 2},
}
SMALL = {"seed": 1, "experiments": {"sets": SETS}, "figures": {"B6": OPTIONS}}
MODULE = """
configfile: "mine.yaml"

module grokking:
    snakefile: "{snakefile}"
    config: config
    {prefix}

use rule * from grokking as grokking_*

rule everything:
    default_target: True
    input: rules.grokking_all.input
"""


def snakemake(repository, folder, *arguments):
    given = ["--cores", "2", *arguments]
    return snakemake_server.run(given, folder, repository.environment())


def assert_made(root):
    plan = Plan(read(SMALL), root)
    assert all((root / name).exists() for name in targets.everything(plan).inputs)


def test_another_working_directory(fresh, tmp_path):
    folder = tmp_path / "else where"
    (folder / "config").mkdir(parents=True)
    (folder / "config/config.yaml").write_text(yaml.safe_dump(SMALL))
    snakefile = str(fresh.root / "Snakefile")
    code, said = snakemake(fresh, tmp_path, "-s", snakefile, "--directory", str(folder))
    assert code == 0, said
    assert_made(folder)
    assert not (fresh.root / "results").exists()
    (folder / "config/config.yaml").unlink()
    code, said = snakemake(fresh, folder, "-s", snakefile, "-n")
    assert code == 0 and "train_block" in said  # of the repository's own configuration
    code, said = snakemake(fresh, folder, "-s", snakefile, "clean_stale")
    assert code == 0 and f"needed by {fresh.root}/config/config.yaml: 8 runs" in said, said


@pytest.mark.parametrize("prefix", ["", "of grokking"])
def test_a_module_of_another_workflow(fresh, tmp_path, prefix):
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "mine.yaml").write_text(yaml.safe_dump(SMALL))
    option = f'prefix: "{prefix}"' if prefix else ""
    text = MODULE.format(snakefile=fresh.root / "Snakefile", prefix=option)
    (folder / "Snakefile").write_text(text)
    code, said = snakemake(fresh, folder)
    assert code == 0, said
    assert_made(folder / prefix)
    code, said = snakemake(fresh, folder, "-n")
    assert code == 0 and "Nothing to be done" in said


def test_the_code_that_runs_is_that_of_the_folder(fresh, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(fresh.root, copy)
    code, said = snakemake(fresh, copy, "-n")
    assert code != 0
    *_, line = said.splitlines()
    assert str(copy) in line and str(fresh.root / "src/linear_grokking") in line
    assert "Traceback" not in said


def test_an_environment_without_the_package_is_refused(fresh):
    hidden = "import sys; sys.modules['linear_grokking'] = None; "
    code = hidden + "from snakemake.cli import main; main(['-n'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=fresh.root, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "linear_grokking is not installed here" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_plan_counts_the_configuration_as_merged(repository):
    # Each run of Snakemake notes its configuration, so this needs a copy of its own.  The
    # two-point model has no seed.
    for values, done in (((), "8"), (("--config", "seed=7"), "1")):
        said = repository.snakemake("plan", *values).output
        (total,) = [line.split() for line in said.splitlines() if line.split()[:1] == ["all"]]
        assert total[:3] == ["all", "8", done]


def test_figures_and_runs_that_are_not_configured_are_refused_by_name(built):
    for target in ("figures/B1.pdf", "B1", "figures/tables/B1.csv"):
        refused = built.snakemake(target, "--dry-run")
        assert refused.returncode != 0
        *_, line = refused.output.splitlines()
        assert line == "error: figure B1 is not configured; configured are A1, A3, B6"
    refused = built.snakemake("results/summaries/0123456789abcdef.parquet", "--dry-run")
    assert refused.returncode != 0
    *_, line = refused.output.splitlines()
    assert line.startswith("error: run 0123456789abcdef is not part of this configuration")
    assert "Traceback" not in refused.output
