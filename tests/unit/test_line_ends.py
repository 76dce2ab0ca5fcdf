"""A clone has the bytes of the repository, whatever git is told about the ends of lines."""

import shutil
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SAMPLE = (
    "Makefile",
    "Snakefile",
    ".ci/run",
    "config/config.yaml",
    "docs/gallery/A1.png",
    "src/linear_grokking/figures/linear_grokking.mplstyle",
    "src/linear_grokking/report/script.js",
    "src/linear_grokking/report/text/A1.rst",
    "workflow/rules/common.smk",
    "workflow/scripts/train_block.py",
)


def git(root, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


def test_a_clone_with_autocrlf_has_the_same_bytes(tmp_path):
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    for name in (*SAMPLE, ".gitattributes"):
        (origin / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, origin / name)
    git(origin, "init", "--quiet")
    git(origin, "add", "--all")
    git(origin, "commit", "--quiet", "--message", "all")
    git(tmp_path, "clone", "--quiet", "-c", "core.autocrlf=true", str(origin), str(clone))
    for name in SAMPLE:
        assert (clone / name).read_bytes() == (REPOSITORY / name).read_bytes(), name
