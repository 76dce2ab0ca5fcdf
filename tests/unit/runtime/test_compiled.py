"""Numba's cache on disk saves time where it works, and never stops a job."""

import errno
import os
import pwd
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numba.core.caching
import pytest

from linear_grokking.runtime import compiled

MODULE = """
from linear_grokking.runtime.compiled import compile_kept

@compile_kept
def twice(x):
    return 2 * x

@compile_kept
def odd(x):
    return twice(x) + 1
"""

DAMAGES = {
    "empty": lambda content: b"",
    "halved": lambda content: content[: len(content) // 2],
    "random": lambda content: random.Random(0).randbytes(len(content)),
    "zeros": lambda content: bytes(len(content)),
    "of a module that is gone": lambda content: b"cno_such_module\nname\n.",
}


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "loops.py"
    path.write_text(MODULE)
    return path


@pytest.fixture
def start(module, monkeypatch, caplog):
    """Run the module as a new process does; return its functions and what was warned of."""

    def run():
        monkeypatch.setattr(compiled, "_warned", False)
        caplog.clear()
        space = {"__name__": "loops"}
        exec(compile(module.read_text(), module, "exec"), space)
        functions = SimpleNamespace(**space)
        assert functions.odd(20) == 41 and functions.odd(2.5) == 6.0
        return functions, [record.getMessage() for record in caplog.records]

    return run


def was_found(function):
    return sum(function.stats.cache_hits.values()) == 2 and not function.stats.cache_misses


def files(module, kind):
    return sorted((module.parent / "__pycache__").glob(f"*.{kind}"))


def test_functions_are_found_on_disk(start, module):
    functions, warned = start()
    assert not warned and not was_found(functions.odd)
    assert len(files(module, "nbi")) == 2 and len(files(module, "nbc")) == 4
    functions, warned = start()
    assert not warned and was_found(functions.odd)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_damaged_files_cost_one_warning_and_are_replaced(start, module, kind, damage):
    start()
    for path in files(module, kind):
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    functions, warned = start()
    assert len(warned) == 1 and "recompiling" in warned[0]
    assert not was_found(functions.odd)
    for _ in range(2):  # the inner function's own files are asked for by a later start
        functions, warned = start()
    assert not warned and was_found(functions.odd)


def test_no_single_byte_matters(start, module):
    start()
    (path,) = (each for each in files(module, "nbc") if "odd" in each.name and ".1." in each.name)
    whole = path.read_bytes()
    for position in random.Random(0).sample(range(len(whole)), 40):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        _, warned = start()
        assert len(warned) == 1


def test_code_of_another_signature_is_not_run(start, module):
    start()
    one, other = (each for each in files(module, "nbc") if "odd" in each.name)
    contents = one.read_bytes(), other.read_bytes()
    other.write_bytes(contents[0])
    one.write_bytes(contents[1])
    _, warned = start()
    assert len(warned) == 1


def test_a_cache_that_cannot_be_read_is_left_alone(start, module, monkeypatch):
    start()
    before = [path.read_bytes() for path in files(module, "nbi")]

    def stale(self):
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(numba.core.caching.IndexDataCacheFile, "_load_index", stale)
    _, warned = start()
    assert len(warned) == 1 and "Stale file handle" in warned[0]
    assert [path.read_bytes() for path in files(module, "nbi")] == before


def test_a_full_folder_costs_one_warning(start, module, monkeypatch):
    def full(self, name, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(numba.core.caching.IndexDataCacheFile, "_save_data", full)
    for _ in range(2):
        functions, warned = start()
        assert len(warned) == 1 and "No space left" in warned[0]
        assert not was_found(functions.odd)


@pytest.mark.parametrize("cache_home", ["/dev/null", None, "", "relative"])
def test_where_no_folder_will_do_none_is_made(start, module, monkeypatch, cache_home):
    """Without a home the user's cache would be in a folder named ~, wherever the job runs."""

    def nobody(uid):
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.delenv("HOME", raising=False)
    if cache_home is None:
        monkeypatch.delenv("XDG_CACHE_HOME")
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", cache_home)
    (module.parent / "__pycache__").touch()
    _, warned = start()
    assert len(warned) == 1
    assert sorted(os.listdir(module.parent)) == ["__pycache__", "loops.py"]


def test_the_home_serves_where_the_package_cannot_be_written(start, module, monkeypatch):
    home = module.parent / "home"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    (module.parent / "__pycache__").touch()
    start()
    functions, warned = start()
    assert not warned and was_found(functions.odd)
    assert list(home.rglob("*.nbc"))


PASS = """
import numpy as np
from linear_grokking.models.losses import LOSSES
from linear_grokking.models.passes import make_pass
inputs = np.arange(24.0).reshape(1, 6, 4) % 5
found = make_pass(inputs)(np.ones((1, 4)), np.ones(1), LOSSES["cross_entropy"], np.ones((1, 6)))
print([part.tolist() for part in found])
"""


def test_the_loops_of_jobs_do_not_trust_their_cache(tmp_path):
    def run():
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        command = [sys.executable, "-c", PASS]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    first = run()
    assert not first.stderr
    for path in tmp_path.rglob("*.nb?"):
        Path(path).write_bytes(b"")
    second = run()
    assert second.stdout == first.stdout
    assert len(second.stderr.splitlines()) == 1 and "recompiling" in second.stderr
