"""The versions of Python: what is promised is said once, and others read the code as this one."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from linear_grokking.figures.registry import figure_ids
from linear_grokking.results.fingerprint import fingerprint

ROOT = Path(__file__).parents[2]
with open(ROOT / "pyproject.toml", "rb") as file:
    PYPROJECT = tomllib.load(file)
VERSIONS = [
    each.rsplit(" ", 1)[1]
    for each in PYPROJECT["project"]["classifiers"]
    if each.startswith("Programming Language :: Python :: 3.")
]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def interpreter(version):
    """Return an interpreter of a version that is on this machine, by its name or from pyenv."""
    found = [shutil.which(f"python{version}")]
    found += sorted((Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python3"))
    for program in filter(None, found):
        done = subprocess.run([program, "--version"], capture_output=True, text=True)
        if done.stdout.startswith(f"Python {version}."):
            return str(program)
    return None


def test_every_place_says_the_same():
    least, *_, last = VERSIONS
    assert PYPROJECT["project"]["requires-python"] == f">={least}"
    assert PYPROJECT["tool"]["ruff"]["target-version"] == "py" + least.replace(".", "")
    assert PYPROJECT["tool"]["pyright"]["pythonVersion"] == least
    makefile = (ROOT / "Makefile").read_text()
    assert f"sys.version_info >= ({least.replace('.', ', ')})" in makefile
    assert f"python:{least}" in (ROOT / "Snakefile").read_text()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"Python (3\.\d+) to (3\.\d+)", readme) == [(least, last)]


def test_rules_ask_for_the_snakemake_that_their_internals_are_of():
    """Both places give the same minimum, and the lock is within what they allow."""
    extra = map(Requirement, PYPROJECT["project"]["optional-dependencies"]["workflow"])
    [allowed] = [each.specifier for each in extra if each.name == "snakemake"]
    [least] = re.findall(r'^min_version\("(.*)"\)', (ROOT / "Snakefile").read_text(), re.MULTILINE)
    [locked] = re.findall(
        r"^snakemake==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE
    )
    assert allowed == SpecifierSet(f">={least},<{int(locked.split('.')[0]) + 1}")
    assert locked in allowed


def test_the_lock_can_be_installed_on_the_first_release_of_each_version():
    """Distributions keep a version's early releases: Debian 12 has 3.11.2."""
    lock = (ROOT / "requirements.txt").read_text()
    locked = [Requirement(line).name for line in lock.splitlines() if not line.startswith("#")]
    asked = {name: SpecifierSet(metadata(name).get("Requires-Python", "")) for name in locked}
    first = [f"{version}.0" for version in VERSIONS]
    assert not {name for name, allowed in asked.items() if list(allowed.filter(first)) != first}


# Where a run is kept says which code made it.
ENTRIES = [
    "results.summaries:summary_of",
    "solvers.spectral:spectral",
    "solvers.log_flow.flow:gradient_flow",
    "workflow.steps.manifest:rows_of",
]
SCRIPT = """
import json, sys
from pathlib import Path
from linear_grokking.results.fingerprint import Package
for path in Path("src").rglob("*.py"):
    compile(path.read_bytes(), path, "exec")
sources = Package(Path("src/linear_grokking"))  # not what is kept on disk
print(json.dumps([sources.fingerprint([each]) for each in sys.argv[1:]]))
"""


@pytest.mark.parametrize("version", [each for each in VERSIONS if each != HERE])
def test_another_version_compiles_the_code_and_gives_runs_the_same_identity(version):
    program = interpreter(version)
    if program is None:
        pytest.skip(f"there is no Python {version} on this machine")
    entries = [*ENTRIES, *(f"figures.{each.lower()}:tabulate" for each in figure_ids()[:3])]
    done = subprocess.run(
        [program, "-W", "error", "-c", SCRIPT, *entries],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [fingerprint([each]) for each in entries]
