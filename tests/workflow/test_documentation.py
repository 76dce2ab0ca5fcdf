"""The documentation holds: its worked examples run, and its data dictionary is complete."""

import re
import shutil
import subprocess

import numpy as np
import pyarrow.parquet as pq
import pytest
import snakemake_server
import yaml
from copies import REPOSITORY, copy_workflow, environment

from linear_grokking.data import wider_laws
from linear_grokking.jobs.kinds import KINDS
from linear_grokking.load import UNITS
from linear_grokking.results.scalars import TIMES

DOCS = REPOSITORY / "docs"


def blocks(text, language):
    """Return the code blocks of a language, with the file that their first line names."""
    found = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    named = [re.match(r"# (\S+?)(?:: (\w+))?\n", block) for block in found]
    return [
        (name[1], name[2], block[name.end() :])
        for name, block in zip(named, found, strict=True)
        if name
    ]


def apply_changes(text, root):
    """Apply the diffs; return the files that they change."""
    touched = set()
    for change in re.findall(r"^```diff\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        applied = subprocess.run(
            ["git", "apply", "-"], input=change, cwd=root, capture_output=True, text=True
        )
        assert applied.returncode == 0, f"{applied.stderr}\n{change}"
        touched |= set(re.findall(r"^\+\+\+ b/(.*)$", change, re.MULTILINE))
    return touched


def run_commands(text, root):
    """Run the only block of shell commands, up to the first that fails."""
    [command] = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    surroundings = environment(root)
    surroundings["PATH"] = f"{snakemake_server.programs()}:{surroundings['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", command], cwd=root, env=surroundings, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_worked_example_of_a_figure_followed_literally(tmp_path):
    text = (DOCS / "add_a_figure.md").read_text(encoding="utf-8")
    copy_workflow(tmp_path)
    shutil.copytree(REPOSITORY / "tests", tmp_path / "tests")
    # As the rest of the configuration: nothing but what every one has.
    configuration = {"seed": 1, "device": "cpu", "experiments": {}, "figures": {}}
    for path, section, block in blocks(text, "yaml"):
        assert path == "config/config.yaml"
        configuration[section] |= yaml.safe_load(block)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text(yaml.safe_dump(configuration))
    for language in ("python", "rst"):
        for path, _, block in blocks(text, language):
            assert not (tmp_path / path).exists(), f"{path} exists: the example takes a free ID"
            (tmp_path / path).write_text(block, encoding="utf-8")

    assert "`snakemake -n B23`" in text
    run_commands("```sh\nsnakemake -n B23\n```", tmp_path)
    run_commands(text, tmp_path)
    for name in ("figures/B23.pdf", "figures/B23.svg", "figures/B23.png"):
        assert (tmp_path / name).stat().st_size > 5_000
    table = pq.read_table(tmp_path / "figures/tables/B23.parquet").to_pandas()
    measured = table[table["source"] == "experiment"].set_index("x")["y"]
    assert measured.index.tolist() == [1.0, 2.0, 4.0] and measured.is_monotonic_increasing

    apply_changes(text, tmp_path)
    assert "`snakemake -c2 check_claims`" in text
    run_commands("```sh\nsnakemake -c2 check_claims\n```", tmp_path)
    [claim] = pq.read_table(tmp_path / "results/claims.parquet").to_pylist()
    assert (claim["id"], claim["states"], claim["n"]) == ("B23-settled-sigma-4", "ours", 8)


@pytest.mark.parametrize(("what", "files"), [("model", 7), ("solver", 4), ("law", 3), ("loss", 2)])
def test_the_worked_examples_of_physics_followed_literally(what, files, tmp_path):
    text = (DOCS / f"add_a_{what}.md").read_text(encoding="utf-8")
    copy_workflow(tmp_path)
    for folder in ("tests", "config"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder)
    touched = set()
    for path, _, block in blocks(text, "python"):
        assert not (tmp_path / path).exists(), path
        (tmp_path / path).write_text(block, encoding="utf-8")
        touched.add(path)
    touched |= apply_changes(text, tmp_path)
    assert len(touched) == files
    run_commands(text, tmp_path)


def test_the_law_without_a_formula_has_the_deviation_that_is_said():
    text = (DOCS / "add_a_law.md").read_text(encoding="utf-8")
    [code] = re.findall(r"^```python\n(class .*?)^```", text, re.MULTILINE | re.DOTALL)
    names = dict(vars(wider_laws))
    exec(code, names)
    inputs = np.empty((100_000, 3))
    names["Laplace"](2.0).draw(np.random.default_rng(0), inputs)
    # E x⁴ = 6 σ⁴.
    assert inputs.std() == pytest.approx(2.0, rel=0.01)
    assert np.mean(inputs**4) == pytest.approx(6 * 2.0**4, rel=0.05)


def test_every_measured_thing_says_its_unit():
    names = {field.name for kind in KINDS for field in kind.schema} | set(TIMES)
    plain = {"realization", "sample", "separable", "certificate"}
    assert names - plain <= set(UNITS)


def test_links_in_the_documentation_lead_to_files():
    for path in DOCS.glob("*.md"):
        for link in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
            if not link.startswith("http"):
                assert (path.parent / link).exists(), f"{path.name}: {link}"
