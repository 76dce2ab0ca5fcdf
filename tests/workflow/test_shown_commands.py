"""Every command that README.md and docs/ show is executed, here or by another test.

Those of this file run in order in a fresh clone: as they stand where that is quick; in a copy
whose configuration is a small one where they would compute for long; or as a dry run.  `make`
starts Snakemake as a user does; elsewhere it runs without its start-up.  A command that is new on
a page fails a test until it has its line in shown_commands.py.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import snakemake_server
import yaml
from copies import REPOSITORY, environment
from shown_commands import COMMANDS, By, Here
from small_plan import CONFIGURATION

RUN = CONFIGURATION["experiments"]["lin"] | {"lambda": 0.5}
SMALL = CONFIGURATION | {"device": "cpu", "experiments": {"lin": RUN}}
"""One figure of one run, in no time."""

# ---- what the pages show ----

IN_A_SENTENCE = re.compile(
    r"`((?:snakemake|linear-grokking|make|python|pip|pytest)(?: [^`]+)?)`(?!\])"
)
"""What begins with a program, in a sentence or a table."""


def shown(page):
    """Return the commands of a page, in order, each once."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    found = []
    for part in re.split(r"(^ *```\w*\n.*?^ *```$)", text, flags=re.MULTILINE | re.DOTALL):
        block = re.match(r" *```(\w*)\n(.*)```$", part, re.DOTALL)
        if block and block[1] in {"sh", "bash", "shell", "console"}:
            lines = re.sub(r"\\\n\s*", "", block[2]).splitlines()
            if block[1] == "console":
                lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
            found += [re.sub(r"\s+# .*$|^# .*$", "", line).strip() for line in lines]
        elif not block:
            found += [" ".join(each.split()) for each in IN_A_SENTENCE.findall(part)]
    alone = {"snakemake", "make", "python", "pip", "pytest", "linear-grokking"}
    return [each for each in dict.fromkeys(found) if each and each not in alone]


PAGES = [
    "README.md",
    *sorted(str(p.relative_to(REPOSITORY)) for p in REPOSITORY.glob("docs/**/*.md")),
]
HERE = [
    pytest.param(page, command, how, id=f"{page}: {command}")
    for page, commands in COMMANDS.items()
    for command, how in commands.items()
    if isinstance(how, Here)
]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_is_known_and_no_other(page):
    assert set(shown(page)) == set(COMMANDS.get(page, {}))


def test_the_tests_that_run_others_exist():
    named = {
        how.test
        for commands in COMMANDS.values()
        for how in commands.values()
        if isinstance(how, By)
    }
    for test in named:
        path, _, function = test.partition("::")
        tree = ast.parse((REPOSITORY / "tests" / path).read_text(encoding="utf-8"))
        assert function in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}, (
            test
        )


def test_a_new_command_is_seen(monkeypatch, tmp_path):
    monkeypatch.setattr("test_shown_commands.REPOSITORY", tmp_path)
    (tmp_path / "page.md").write_text(
        "Type `snakemake -c1 Z9`, or `snakemake` alone, or see [`make it`](x.md).\n\n"
        "```sh\nlinear-grokking new \\\n    --option   # a comment\n# another\nls\n```\n\n"
        "```console\n$ pip install more\nwhat it says\n```\n\n```text\nmake nothing\n```\n"
    )
    assert shown("page.md") == [
        *("snakemake -c1 Z9", "linear-grokking new --option", "ls", "pip install more"),
    ]


# ---- where they are executed ----


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A fresh clone, with an environment of its own that borrows the packages of this one's."""
    root = tmp_path_factory.mktemp("shown") / "linear-grokking"
    git("clone", "--quiet", "--no-hardlinks", REPOSITORY, root)
    # What is not committed yet.
    for name in git("ls-files", "-z", "--modified", "--others", "--exclude-standard").split("\0"):
        if name and (REPOSITORY / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, root / name, follow_symlinks=False)
        elif name:
            (root / name).unlink(missing_ok=True)
    # What Python and Numba compiled, which counts beside sources of the same time.
    ignored = shutil.ignore_patterns("*.pyc.*", "*.tmp.*", "*.egg-info")
    shutil.copytree(REPOSITORY / "src", root / "src", dirs_exist_ok=True, ignore=ignored)
    lend_environment(root)
    return root


@pytest.fixture(scope="module")
def small(clone):
    """A copy of the clone whose configuration takes no time."""
    root = clone.with_name("small")
    shutil.copytree(clone, root, symlinks=True, ignore=shutil.ignore_patterns(".venv"))
    (root / "config" / "config.yaml").write_text(yaml.safe_dump(SMALL))
    lend_environment(root)
    return root


def git(*arguments):
    done = ["git", "-C", str(REPOSITORY), *map(str, arguments)]
    return subprocess.run(done, check=True, capture_output=True, text=True).stdout


def lend_environment(root):
    """Make .venv complete, as `make` does, but from packages that are there."""
    command = [sys.executable, "-m", "venv", "--without-pip", str(root / ".venv")]
    subprocess.run(command, check=True)
    [site] = (root / ".venv" / "lib").glob("python*/site-packages")
    packages = [path for path in sys.path if path.endswith("site-packages")]
    (site / "lent.pth").write_text("\n".join([str(root / "src"), *packages]) + "\n")
    programs = root / ".venv" / "bin"
    for name in ("snakemake", "linear-grokking"):
        text = (Path(sys.executable).parent / name).read_text()
        (programs / name).write_text(re.sub("^#!.*", f"#!{programs}/python", text))
        (programs / name).chmod(0o755)
    (root / ".venv" / ".complete").write_text(f"{root.resolve()}\n")


@pytest.mark.parametrize(("page", "command", "how"), HERE)
def test_it_is_executed(page, command, how, request):
    root = request.getfixturevalue("small" if how.small else "clone")
    assert not how.makes or not (root / how.makes).exists()
    surroundings = environment(root)
    programs = [root / ".venv/bin"]
    if command.startswith(("snakemake", "linear-grokking")):
        programs.insert(0, snakemake_server.programs())
    surroundings["PATH"] = ":".join([*map(str, programs), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-ec", how.instead or f"{command} {how.more}"],
        cwd=root,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not how.makes or (root / how.makes).stat().st_size > 1000


def test_the_schema_that_is_made_is_the_one_that_is_there(clone):
    """After `make schema` above."""
    made = (clone / "config" / "schema.json").read_text()
    assert made == (REPOSITORY / "config" / "schema.json").read_text()
