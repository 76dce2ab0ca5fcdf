"""Files are whole or absent, say what they hold, and are refused by name when they do not."""

import ast
import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from linear_grokking.jobs.kinds import LINEAR
from linear_grokking.results import storage
from linear_grokking.results.identity import hashed
from linear_grokking.results.storage import (
    DamagedError,
    StorageError,
    digest_of,
    is_made_of,
    provenance,
    read_made_of,
    read_metadata,
    read_table,
    write_table,
)
from linear_grokking.runtime.files import whole_file

CODE = "0123456789abcdef"
SPEC = '{"measure":"dynamics","model":"linear"}'


def history(steps=50):
    schema = LINEAR
    rng = np.random.default_rng(1)
    return pa.table(
        {field.name: rng.random(steps).astype(field.type.to_pandas_dtype()) for field in schema},
        schema=schema,
    )


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "results" / "0-0.parquet"
    write_table(history(), path, spec=SPEC, provenance=provenance(device="cpu", fingerprint=CODE))
    return path


def test_contents_and_metadata_come_back(path):
    assert read_table(path).equals(history())
    spec, record = read_metadata(path)
    assert spec == json.loads(SPEC)
    assert record["device"] == "cpu"
    assert {"revision", "dirty", "versions", "host", "time"} <= record.keys()
    assert {"python", "numpy", "torch", "linear-grokking"} <= record["versions"].keys()
    assert record["versions"]["numpy"] == np.__version__
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"


def test_other_readers_read_it(path):
    polars = pytest.importorskip("polars")
    assert polars.read_parquet(path).height == 50


def test_nothing_but_the_file_is_left_behind(path):
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    usual = path.with_name("usual")
    usual.touch()
    assert path.stat().st_mode == usual.stat().st_mode


# ---- the revision ----


ask = storage.revision.__wrapped__
"""Asks git each time."""


def git(root, *arguments):
    """Run git in a folder; return what it prints."""
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=root, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def repository(root, tracked):
    """Make a repository with one commit; return its revision."""
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "--quiet")
    (root / "others.txt").write_text("of the user\n")
    git(root, "add", "others.txt", *tracked)
    git(root, "commit", "--quiet", "--message", "one")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Lay a package that stands for this one into a folder; return the folder."""
    module = tmp_path / "repo" / "src" / "pkg" / "storage.py"
    module.parent.mkdir(parents=True)
    module.write_text("x = 1\n")
    monkeypatch.setattr(storage, "__file__", str(module))
    return tmp_path / "repo"


def test_the_revision_is_that_of_the_repository_that_tracks_the_package(package):
    head = repository(package, ["src"])
    (package / "docs").mkdir()
    (package / "docs" / "results.csv").write_text("new\n")
    assert ask() == {"revision": head, "dirty": False}
    (package / "others.txt").write_text("changed\n")
    assert ask() == {"revision": head, "dirty": True}


def test_a_repository_that_only_surrounds_the_package_is_not_its_own(package):
    repository(package, [])
    reason = "the repository around this package does not track it"
    assert ask() == {"revision": None, "dirty": None, "revision_unknown": reason}


def test_another_repository_of_the_environment_is_not_asked(package, tmp_path, monkeypatch):
    head = repository(package, ["src"])
    other = tmp_path / "other"
    assert repository(other, []) != head
    (other / "src" / "pkg").mkdir(parents=True)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert ask() == {"revision": head, "dirty": False}


def test_asking_for_the_revision_changes_nothing_in_the_repository(package, tmp_path):
    repository(package, ["src"])
    ran = tmp_path / "ran"
    monitor = tmp_path / "monitor"
    monitor.write_text(f'#!/bin/sh\ntouch "{ran}"\n')
    monitor.chmod(0o755)
    git(package, "config", "core.fsmonitor", str(monitor))
    # Its times no longer those of the index, git would write the index anew, under its lock.
    os.utime(package / "others.txt", (1, 1))
    index = package / ".git" / "index"
    before = index.stat().st_mtime_ns, index.read_bytes()
    assert ask()["dirty"] is False
    assert (index.stat().st_mtime_ns, index.read_bytes()) == before
    assert not ran.exists()


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (None, "git is not installed"),
        ("exec sleep 20", "git did not answer within 0.2 s"),
        (
            "echo \"fatal: detected dubious ownership in repository at '/r'\" >&2\n"
            "echo 'To add an exception' >&2\nexit 128",
            "detected dubious ownership in repository at '/r'",
        ),
        ("exit 139", "git failed"),
    ],
)
def test_where_git_does_not_say_the_revision_the_reason_is_kept(
    tmp_path, monkeypatch, command, reason
):
    if command is not None:
        script = tmp_path / "git"
        script.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{command}\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(storage, "_GIT_PATIENCE", 0.2)
    assert ask() == {"revision": None, "dirty": None, "revision_unknown": reason}


def test_a_package_outside_of_any_repository_says_so(package):
    assert ask()["revision_unknown"].startswith("not a git repository")


# ---- writing ----


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_a_write_that_fails_leaves_the_old_file_and_no_other(path, monkeypatch, error):
    before = path.read_bytes()

    def write(table, where, **_):
        where.write_bytes(before[:20])
        raise error

    monkeypatch.setattr(pq, "write_table", write)
    with pytest.raises(type(error)):
        write_table(history(10), path, spec=SPEC, provenance={})
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_full_disk_found_out_at_the_end_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_table(history(10), path, spec=SPEC, provenance={})
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_table(history(), tmp_path / "file" / "0-0.parquet", spec=SPEC, provenance={})


@pytest.mark.skipif(os.getuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_folder_is_an_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        write_table(history(), tmp_path / "0-0.parquet", spec=SPEC, provenance={})


def test_a_process_killed_while_writing_leaves_the_old_file(path):
    before = path.read_bytes()
    code = textwrap.dedent(
        f"""
        import os, signal
        from pathlib import Path
        from linear_grokking.runtime.files import whole_file

        with whole_file(Path({str(path)!r})) as temporary:
            temporary.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == before
    # What was being written has a name that no reader takes for a result.
    assert all(each.name.startswith(".") for each in path.parent.iterdir() if each != path)


def test_writers_at_the_same_time_leave_one_whole_file(tmp_path):
    path = tmp_path / "file.parquet"
    with whole_file(path) as first, whole_file(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert len(list(tmp_path.iterdir())) == 1


# ---- reading ----


def rewritten(path, table=None, **metadata):
    """Rewrite a file, as another program or another version of this one might."""
    table = table or pq.read_table(path)
    kept = pq.read_schema(path).metadata | {k.encode(): v for k, v in metadata.items()}
    pq.write_table(table.replace_schema_metadata(kept), path)


def spoilt_middle(path):
    content = bytearray(path.read_bytes())
    content[20:80] = os.urandom(60)
    path.write_bytes(content)


HARMS = {
    "deleted": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "garbage": lambda path: path.write_bytes(os.urandom(path.stat().st_size)),
    "text": lambda path: path.write_text("not a Parquet file at all"),
    "spoilt in the middle": spoilt_middle,
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_file_that_cannot_be_read_is_refused_with_its_name(path, harm):
    HARMS[harm](path)
    reason = "No such file or directory" if harm == "deleted" else "not a readable Parquet file"
    kind = StorageError if harm == "deleted" else DamagedError
    readers = [read_table, lambda path: digest_of(path, whole=True)]
    if harm != "spoilt in the middle":
        readers += [digest_of, read_metadata]
    for reader in readers:
        with pytest.raises(StorageError) as caught:
            reader(path)
        assert type(caught.value) is kind
        assert str(caught.value) == f"{path}: {reason}"


def test_no_bit_that_flips_stops_more_than_its_file(tmp_path):
    path = tmp_path / "0-0.parquet"
    write_table(pa.table({"x": [1.0]}), path, spec="{}", provenance={"fingerprint": CODE})
    content = path.read_bytes()
    digest, found = digest_of(path), set()
    for place in range(0, len(content), 3):
        flipped = bytes([content[place] ^ 1 << place % 7])
        path.write_bytes(content[:place] + flipped + content[place + 1 :])
        for whole in (False, True):
            try:
                found.add(digest_of(path, whole=whole) == digest)
            except DamagedError as error:
                found.add(error.reason)
    assert {"not a readable Parquet file", "does not say which code made it"} < found


def test_another_version_is_refused_with_its_name(path):
    rewritten(path, schema_version=b"0")
    for reader in (digest_of, read_table):
        with pytest.raises(DamagedError, match=f"{path.name}: written by another version"):
            reader(path)


def test_a_file_of_another_program_is_refused_with_its_name(path):
    pq.write_table(pa.table({"x": [1]}), path)
    for reader in (digest_of, read_table):
        with pytest.raises(DamagedError, match=path.name):
            reader(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop_columns("gen_loss"),
        lambda table: table.rename_columns(["r", *table.column_names[1:]]),
        lambda table: table.cast(
            pa.schema([pa.field("realization", pa.int64()), *list(table.schema)[1:]])
        ),
        lambda table: table.append_column("more", pa.array(np.zeros(len(table)))),
        lambda table: table.select(table.column_names[::-1]),
    ],
)
def test_other_columns_are_damage(path, change):
    rewritten(path, change(pq.read_table(path)))
    with pytest.raises(DamagedError, match="its columns are not those of its kind"):
        digest_of(path, schema=LINEAR)


@pytest.mark.parametrize("whole", [False, True])
def test_what_a_file_is_made_of_is_its_spec_and_code(path, whole):
    digest = hashed(json.loads(SPEC), CODE)
    assert digest_of(path, schema=LINEAR, whole=whole) == digest
    assert read_table(path, made_of=digest).num_rows == 50
    for change in ({"spec": b"{}"}, {"provenance": b'{"fingerprint": "other"}'}):
        rewritten(path, **change)
        assert digest_of(path) != digest
        with pytest.raises(StorageError, match="was made from a different request or code"):
            read_table(path, made_of=digest)


def test_files_of_every_kind_are_asked_what_they_are_made_of(path):
    table, page, csv = path, path.with_suffix(".html"), path.with_suffix(".csv")
    digest = hashed(json.loads(SPEC), CODE)
    page.write_text(f"<p>made of {digest}</p>")
    assert all(is_made_of(each, digest) for each in (table, page, csv))
    assert [is_made_of(each, "other") for each in (table, page, csv)] == [False, False, True]
    assert read_made_of(page, digest) == page.read_bytes()
    with pytest.raises(StorageError, match=r"0-0\.html: was made from a different request or code"):
        read_made_of(page, "other")
    page.unlink()
    with pytest.raises(StorageError, match=r"0-0\.html: No such file"):
        is_made_of(page, digest)
    table.write_text("garbage")
    with pytest.raises(DamagedError):
        is_made_of(table, digest)


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (OSError(errno.ESTALE, "stale"), "Stale file handle"),
        (PermissionError(errno.EACCES, "denied"), "Permission denied"),
        (pa.ArrowMemoryError("malloc of size 10 failed"), "there is not enough memory to read it"),
    ],
)
def test_a_system_that_fails_says_nothing_about_the_file(path, monkeypatch, failure, says):
    def fail(*_, **__):
        raise failure

    monkeypatch.setattr(pq, "read_schema", fail)
    monkeypatch.setattr(pq, "ParquetFile", fail)
    for reader in (digest_of, read_table, read_metadata):
        with pytest.raises(StorageError) as caught:
            reader(path)
        assert type(caught.value) is StorageError
        assert str(caught.value) == f"{path}: {says}"


# ---- nothing on the way in can run code ----

SOURCES = Path(storage.__file__).parents[1]


# Functions, and the keyword that makes them safe where there is one.
RISKY = {
    "eval": None,
    "exec": None,
    "pd.read_pickle": None,
    "yaml.unsafe_load": None,
    "np.load": "allow_pickle",
    "torch.load": "weights_only",
}


def risks(tree):
    """Yield the names of what unpickles, evaluates or builds objects from what it reads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            yield from {"pickle", "dill", "joblib", "shelve", "marshal"}.intersection(names)
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            if ast.unparse(node.value) != "False":
                yield "allow_pickle"
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in RISKY and RISKY[name] not in {keyword.arg for keyword in node.keywords}:
                yield name


@pytest.mark.parametrize("path", sorted(SOURCES.rglob("*.py")), ids=lambda p: p.name)
def test_nothing_unpickles_or_evaluates_what_it_reads(path):
    assert list(risks(ast.parse(path.read_text("utf-8")))) == []


def test_the_search_for_what_unpickles_finds_it():
    bad = "import pickle\nnp.load(f)\nnp.load(f, allow_pickle=True)\ntorch.load(f)\neval(text)\n"
    assert len(list(risks(ast.parse(bad)))) == 5


@pytest.mark.parametrize(
    ("values", "of", "null"),
    [
        (np.array([0.5, np.inf, -0.0]), pa.float64(), 0),
        (np.array([np.nan, 2.0, np.nan]), pa.float64(), 2),
        (np.arange(10, dtype=np.int32)[::3], pa.int32(), 0),
        (np.arange(20) % 3 == 0, pa.bool_(), 0),
        (np.array(["direction", "", "Δ"]), pa.string(), 0),
    ],
)
def test_columns_are_those_of_arrow_and_come_back(values, of, null):
    column = storage.in_arrow(values, of)
    column.validate(full=True)
    assert column.equals(pa.array(values, of, from_pandas=True)) and column.null_count == null
    for part in (slice(None), slice(1, None)):
        cut = pa.chunked_array([column[part]])
        np.testing.assert_array_equal(storage.in_numpy(cut), values[part])


def test_numbers_that_are_not_whole_make_no_column_of_whole_ones():
    with pytest.raises(TypeError, match="cast"):
        storage.in_arrow(np.array([0.5]), pa.int32())


@pytest.mark.parametrize("which", [0, 500, 999])
def test_a_bit_that_flips_in_a_number_is_seen(tmp_path, which):
    """Without page checksums another number would be read: zstd stores such bytes as they are."""
    path = tmp_path / "0-0.parquet"
    values = np.random.default_rng(0).integers(-(2**62), 2**62, 1000) * 2 + 1
    write_table(pa.table({"x": values}), path, spec="{}", provenance={"fingerprint": "code"})
    content = path.read_bytes()
    place = content.rindex(values[which].tobytes()[:7])
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    for reader in (read_table, lambda path: digest_of(path, whole=True)):
        with pytest.raises(DamagedError, match="not a readable Parquet file"):
            reader(path)
