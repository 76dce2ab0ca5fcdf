"""The Makefile's environment: made once, in its own folder, whatever the shell has set.

A script stands for Python: it notes how it is called, and an environment that it makes holds
itself.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

STAND_IN = """\
#!/bin/sh
{{ echo "$*"; env; echo; }} >> {log}
case "$1 $2" in
    "-m venv")
        for folder do :; done
        [ "$3" != --clear ] || rm -rf "$folder"
        mkdir -p "$folder/bin"
        cp "$0" "$folder/bin/python" ;;
    -c*)
        exec {python} -c "import sys; sys.version_info = (3, ${{MINOR:-11}}); $2" ;;
esac
"""

MADE = ["-c", "-m venv", "-m pip", "-m pip", "-m snakemake"]
ONLY_RUN = ["-m snakemake"]


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "a folder, (of) any name"
    root.mkdir()
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, root)
    return root


@pytest.fixture
def make(tmp_path):
    """Give the function that runs `make figures` and returns how Python was called."""
    commands, log = tmp_path / "commands", tmp_path / "log"
    commands.mkdir()
    script = commands / "stand-in"
    quoted = {"log": shlex.quote(str(log)), "python": shlex.quote(sys.executable)}
    script.write_text(STAND_IN.format(**quoted))
    script.chmod(0o755)

    # Of the make that may run the tests nothing reaches this one.
    around = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    around["PATH"] = f"{commands}:{os.environ['PATH']}"

    def run(root, **variables):
        done = subprocess.run(
            ["make", "figures", "PYTHON=stand-in"],
            cwd=root,
            env=around | variables,
            capture_output=True,
            text=True,
        )
        calls = [call.splitlines() for call in log.read_text().strip().split("\n\n")]
        log.unlink()
        return done, calls

    return run


def kinds(result):
    """Return the beginning of each call."""
    done, calls = result
    assert done.returncode == 0, done.stderr
    return [" ".join(call[0].split()[: 2 if call[0].startswith("-m") else 1]) for call in calls]


def test_the_environment_is_made_once(folder, make):
    assert kinds(make(folder)) == MADE
    assert kinds(make(folder)) == ONLY_RUN
    os.utime(folder / "requirements.txt")
    assert kinds(make(folder)) == MADE


@pytest.mark.parametrize("how", [shutil.copytree, shutil.move], ids=["copied", "moved"])
def test_the_environment_of_another_folder_is_made_anew(folder, make, how):
    make(folder)
    other = folder.with_name("other folder")
    how(folder, other)
    mark = other / ".venv" / "bin" / "snakemake"
    mark.write_text(f"#!{folder}/.venv/bin/python\n")
    assert kinds(make(other)) == MADE
    assert not mark.exists()
    assert kinds(make(other)) == ONLY_RUN
    if folder.exists():
        assert kinds(make(folder)) == ONLY_RUN


def test_an_environment_that_was_not_completed_is_made_anew(folder, make):
    assert kinds(make(folder)) == MADE
    (folder / ".venv" / ".complete").unlink()
    assert kinds(make(folder)) == MADE


def test_another_name_of_the_same_folder_is_no_other_folder(folder, make):
    make(folder)
    link = folder.with_name("link")
    link.symlink_to(folder)
    assert kinds(make(link)) == ONLY_RUN


MISLEADING = {
    "PYTHONPATH": "/elsewhere",
    "PYTHONHOME": "/elsewhere",
    "PYTHONUSERBASE": "/elsewhere",
    "PYTHONSTARTUP": "/elsewhere/startup.py",
    "PYTHONINSPECT": "1",
    "PYTHONOPTIMIZE": "2",
    "PYTHONSAFEPATH": "1",
    "PIP_USER": "1",
    "PIP_TARGET": "/elsewhere",
    "PIP_PREFIX": "/elsewhere",
    "PIP_ROOT": "/elsewhere",
    "PIP_PYTHON": "/elsewhere/python",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_DRY_RUN": "1",
    "PIP_NO_DEPS": "1",
    "CLEAR": "--elsewhere",
}
"""What would have packages go elsewhere, or other code run."""


def test_nothing_of_the_shell_misleads_it(folder, make):
    kept = {"PIP_INDEX_URL": "https://packages.example/simple", "PIP_CERT": "/etc/own.pem"}
    result = make(folder, PYTHONNOUSERSITE="", **MISLEADING, **kept)
    assert kinds(result) == MADE
    for command, *lines in result[1]:
        seen = dict(line.split("=", 1) for line in lines if "=" in line)
        assert not (seen.keys() & MISLEADING.keys()) - {"CLEAR"}, command
        assert seen["PYTHONNOUSERSITE"] == "1"
        assert kept.items() <= seen.items()
        assert "elsewhere" not in command
        # `user = true` in a pip.conf: what no variable takes back.
        assert ("--no-user" in command) == command.startswith("-m pip install")


@pytest.mark.parametrize("optimize", ["", "2"])
def test_an_old_python_is_refused_in_one_line(folder, make, optimize):
    done, calls = make(folder, MINOR="10", PYTHONOPTIMIZE=optimize)
    assert done.returncode != 0 and len(calls) == 1
    assert done.stderr.splitlines()[0] == "Python 3.11 or newer is needed"
