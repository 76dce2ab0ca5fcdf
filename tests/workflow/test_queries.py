"""Looking changes nothing: dry runs and their like, where files are damaged, locked, read-only."""

import os
import shutil
import subprocess
import sys

import pytest
from copies import jobs

QUERIES = [("--dry-run",), ("--summary",), ("--list-rules",), ("--unlock",), ("--dry-run", "B6")]


def contents(repository):
    """Return every file but Snakemake's own notes, with its bytes and its time."""
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in repository.root.rglob("*")
        if path.is_file() and ".snakemake" not in path.parts and "__pycache__" not in path.parts
    }


@pytest.fixture
def damaged(repository):
    """Return a built copy of which a block and a table are spoilt."""
    for path in (repository.history("sets/6"), repository.root / "figures/tables/A1.parquet"):
        path.write_bytes(path.read_bytes()[:100])
    return repository


def test_queries_leave_damage_where_it_is(damaged):
    before = contents(damaged)
    for query in QUERIES:
        assert damaged.snakemake(*query).returncode == 0
        assert contents(damaged) == before


def test_a_folder_that_another_snakemake_works_in_stays_as_it_is(damaged):
    before = contents(damaged)
    locks = damaged.root / ".snakemake/locks"
    locks.mkdir(exist_ok=True)
    for kind in ("input", "output"):
        (locks / f"0.{kind}.lock").write_text("figures/A1.pdf\n")
    refused = damaged.snakemake()
    assert refused.returncode != 0
    assert "Another Snakemake is running" in refused.output
    assert contents(damaged) == before


def test_a_file_that_may_not_be_read_is_named_and_no_damage(repository):
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root reads everything")
    block = repository.history("sets/6")
    give_away(repository)
    os.chmod(block, 0)
    before = contents(repository) if os.geteuid() == 0 else None
    asked = ask_as_another_user(repository)
    said = asked.stdout.splitlines()[-1]
    assert asked.returncode != 0
    assert said == f"error: {block.relative_to(repository.root)}: Permission denied"
    assert before is None or contents(repository) == before
    os.chmod(block, 0o600)


def test_a_read_only_copy_of_another_user_can_be_asked(repository, tmp_path):
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere")
    give_away(repository)
    for path in [repository.root, *repository.root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() else 0o444)
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    try:
        surroundings = {"HOME": str(home), "LC_ALL": "C", "PYTHONOPTIMIZE": "2"}
        surroundings |= {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
        # Of what was built nothing is to be made again.
        asked = ask_as_another_user(repository, "all", "report", **surroundings)
        assert asked.returncode == 0, asked.stdout
        assert {rule for rule, *_ in jobs(asked.stdout)} == {"X1", "report"}
        assert "Traceback" not in asked.stdout
    finally:
        for path in [repository.root, *repository.root.rglob("*")]:
            if path.is_dir():
                path.chmod(0o755)


def give_away(repository):
    """Have another user own the folder, where that can be."""
    if os.geteuid() == 0:
        for path in [repository.root, *repository.root.rglob("*")]:
            os.chown(path, 12345, 12345, follow_symlinks=False)


def ask_as_another_user(repository, *options, **surroundings):
    """Make a dry run without root's right to all files, under a narrow umask."""
    humble = []
    if os.geteuid() == 0:
        humble = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    environment = repository.environment() | surroundings
    environment.pop("XDG_CACHE_HOME")
    return subprocess.run(
        [*humble, sys.executable, "-m", "snakemake", "--dry-run", *options],
        cwd=repository.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        umask=0o077,
        check=False,
    )
