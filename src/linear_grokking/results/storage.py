"""Parquet files: schemas, provenance, atomic writing, checked reading."""

import getpass
import json
import os
import platform
import subprocess
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.results.identity import hashed
from linear_grokking.runtime.files import whole_file

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = "1"
"""Incremented whenever files of older versions cannot be read like those of the present one."""

_PACKAGES = ("linear-grokking", "numpy", "scipy", "pyarrow", "torch", "matplotlib", "piqp")
"""Packages whose versions a file records."""


class StorageError(LinearGrokkingError):
    """A file that cannot be used, and why; it need not be damaged."""

    def __init__(self, path: Path | zipfile.Path, reason: str):
        super().__init__(f"{path}: {reason}")
        self.reason = reason


def unreadable(path: Path | zipfile.Path, error: OSError) -> StorageError:
    """Return the error to raise where the system failed, which says nothing about the file."""
    return StorageError(path, os.strerror(error.errno) if error.errno else str(error))


class DamagedError(StorageError):
    """A file that was read, but whose contents are wrong."""


_OF_ANOTHER = "was made from a different request or code than expected"

_CODE = (":(top)", ":(top,exclude)docs")
"""What git calls everything but docs/, where computed results are put while others are computed."""

_GIT_PATIENCE = 30.0
"""Seconds that git may take to answer, so that a hanging file system does not hold up a job."""


@cache
def revision() -> dict[str, Any]:
    """Return the revision of the repository that this file belongs to, and whether it was dirty.

    A repository is dirty if it has uncommitted changes, those of its documentation left out.
    Both are None where they are unknown, and ``revision_unknown`` says why.
    """
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        head, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--", *_CODE)
    except FileNotFoundError:
        reason = "git is not installed"
    except OSError as error:
        reason = f"git cannot be run: {error.strerror}"
    except subprocess.TimeoutExpired:
        reason = f"git did not answer within {_GIT_PATIENCE:g} s"
    except subprocess.CalledProcessError as error:
        if error.returncode == 1:
            reason = "the repository around this package does not track it"
        else:
            reason = (error.stderr.splitlines() or ["git failed"])[0].removeprefix("fatal: ")
    else:
        return {"revision": head, "dirty": bool(changes)}
    return {"revision": None, "dirty": None, "revision_unknown": reason}


def _git(*arguments: str) -> str:
    """Return what git says of the repository around this file, changing nothing in it.

    Optional locks and the file monitor are off, so as not to interfere with the user's own git;
    environment variables that may point to another repository are left out.
    """
    done = subprocess.run(
        ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", *arguments],
        cwd=Path(__file__).parent,
        env={name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=_GIT_PATIENCE,
        check=True,
    )
    return done.stdout.strip()


def user() -> str:
    """Return the user's name: the one that git puts on commits here, or else the login name."""
    with suppress(OSError, subprocess.SubprocessError):
        return _git("config", "user.name")
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user ID without a name
        return "unknown"


def provenance(**more: Any) -> dict[str, Any]:
    """Return the provenance of a file: `revision`, versions, host, time (UTC) and ``more``."""
    return {
        **revision(),
        "versions": {"python": platform.python_version(), **_versions()},
        "host": platform.node(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        **more,
    }


@cache
def _versions() -> Mapping[str, str]:
    """Return the versions of those packages that are installed; not all are always needed."""
    found = {}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def in_arrow(values: np.ndarray, of: pa.DataType) -> pa.Array:
    """Return a column (n,) of numbers, booleans or strings as an Arrow array; NaN becomes null.

    The array is built from its buffers: `pyarrow.array` would import pandas to check for its
    types, which takes longer than many a job.
    """
    missing = np.zeros(len(values), bool)
    if of == pa.string():
        texts = [str(each).encode() for each in values]
        ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
        content = [pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
    else:
        values = values.astype(of.to_pandas_dtype(), order="C", casting="same_kind")
        missing = np.isnan(values)
        content = [_bits(values) if of == pa.bool_() else pa.py_buffer(values)]
    present = _bits(~missing) if missing.any() else None
    return pa.Array.from_buffers(of, len(values), [present, *content])


def in_numpy(column: pa.ChunkedArray) -> np.ndarray:
    """Undo `in_arrow`: return numbers, booleans or strings (n,) as NumPy's, with null as NaN."""
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return np.array(column.to_pylist())
    whole = column.combine_chunks()
    part = slice(whole.offset, whole.offset + len(whole))
    present, content = whole.buffers()
    values = np.frombuffer(content, column.type.to_pandas_dtype())[part]
    if not whole.null_count:
        return values
    return np.where(
        np.unpackbits(np.frombuffer(present, np.uint8), bitorder="little")[part], values, np.nan
    )


def _bits(values: np.ndarray) -> pa.Buffer:
    """Return booleans as Arrow stores them, one bit each."""
    return pa.py_buffer(np.packbits(values, bitorder="little"))


def write_columns(
    columns: Mapping[str, np.ndarray], path: Path, *, spec: str, provenance: Mapping[str, Any]
) -> None:
    """Write columns of numbers, booleans or strings as `write_table` does a table."""
    arrays = [
        in_arrow(each, pa.string() if each.dtype.kind == "U" else pa.from_numpy_dtype(each.dtype))
        for each in columns.values()
    ]
    table = pa.Table.from_arrays(arrays, names=list(columns))
    write_table(table, path, spec=spec, provenance=provenance)


def write_frame(
    frame: "pd.DataFrame", path: Path, *, spec: str, provenance: Mapping[str, Any]
) -> None:
    """Write a data frame as `write_table` does a table."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    write_table(table, path, spec=spec, provenance=provenance)


def write_table(table: pa.Table, path: Path, *, spec: str, provenance: Mapping[str, Any]) -> None:
    """Write a Parquet file whole or not at all, with its spec and provenance inside.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left behind.
    """
    metadata = {
        "spec": spec,
        "provenance": json.dumps(provenance, sort_keys=True),
        "schema_version": SCHEMA_VERSION,
    }
    stamped = table.replace_schema_metadata({**(table.schema.metadata or {}), **metadata})
    with whole_file(path) as temporary:
        pq.write_table(stamped, temporary, compression="zstd", write_page_checksum=True)


def digest_of(path: Path, *, schema: pa.Schema | None = None, whole: bool = False) -> str:
    """Return the digest of the spec and code that a Parquet file says it is made of.

    Parameters
    ----------
    schema
        What the file must hold; None takes any.
    whole
        Read all of it and verify its checksums, instead of its footer only, which is much quicker.

    Raises
    ------
    DamagedError
        If the contents are not those of such a file.
    StorageError
        If the system could not read them, which says nothing about the file.
    """
    found = read_table(path).schema if whole else _footer(path)
    if schema is not None and not found.equals(schema):
        raise DamagedError(path, "its columns are not those of its kind")
    return _digest(path, found)


def read_table(path: Path | zipfile.Path, *, made_of: str | None = None) -> pa.Table:
    """Read a Parquet file of this project.

    Parameters
    ----------
    path
        The file, or one in an archive.
    made_of
        Digest of what the file must be made of; None takes any.

    Raises
    ------
    StorageError
        Naming the file, if it cannot be read, is damaged, or made of something else.
    """
    with reading(path) as file:
        # Not by Arrow's own `read_table`, which imports all that is needed for folders of files.
        with pq.ParquetFile(file, page_checksum_verification=True) as content:
            table = content.read()
        _check(path, table.schema)
    if made_of is not None and _digest(path, table.schema) != made_of:
        raise StorageError(path, _OF_ANOTHER)
    return table


def read_made_of(path: Path, digest: str) -> bytes:
    """Read a picture or a page, which carries the digest of what it is made of as text.

    Raises
    ------
    StorageError
        If the system could not read it, or it is made of something else.
    """
    content = content_of(path)
    if digest.encode() not in content:
        raise StorageError(path, _OF_ANOTHER)
    return content


def is_made_of(
    path: Path, digest: str, *, schema: pa.Schema | None = None, whole: bool = False
) -> bool:
    """Tell whether a file of any kind is made of what the digest stands for.

    A CSV file carries no digest and always passes: it is written together with a Parquet file.
    For a Parquet file, arguments and errors are those of `digest_of`; for any other, errors are
    those of `read_made_of`.
    """
    if path.suffix == ".parquet":
        return digest_of(path, schema=schema, whole=whole) == digest
    return path.suffix == ".csv" or digest.encode() in content_of(path)


def content_of(path: Path) -> bytes:
    """Return the contents of a file of any kind; the StorageError of a failure names it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None


def metadata(schema: pa.Schema) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the spec and the provenance of a table that was read."""
    return json.loads(schema.metadata[b"spec"]), json.loads(schema.metadata[b"provenance"])


def read_metadata(path: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the spec and the provenance that a file carries; errors as `read_table`."""
    return metadata(_footer(Path(path)))


def _footer(path: Path) -> pa.Schema:
    with reading(path):
        schema = pq.read_schema(path)
        _check(path, schema)
        return schema


def _check(path: Path | zipfile.Path, schema: pa.Schema) -> None:
    if (schema.metadata or {}).get(b"schema_version") != SCHEMA_VERSION.encode():
        raise DamagedError(path, "written by another version of this package")
    metadata(schema)  # must be readable: Parquet protects no footer by a checksum


def _digest(path: Path | zipfile.Path, schema: pa.Schema) -> str:
    spec, record = metadata(schema)
    if "fingerprint" not in record:
        raise DamagedError(path, "does not say which code made it")
    return hashed(spec, record["fingerprint"])


@contextmanager
def reading(path: Path | zipfile.Path) -> Iterator[Any]:
    """Yield what Arrow reads; distinguish wrong contents from failures of the system.

    Raises
    ------
    StorageError
        For whatever fails inside, naming the file.
    """
    try:
        # Arrow does not always say why it cannot open a file; the system does.
        with path.open("rb") as file:
            yield path if isinstance(path, Path) else file
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
        raise DamagedError(path, "is damaged in the archive") from None
    except pa.ArrowMemoryError:
        raise StorageError(path, "there is not enough memory to read it") from None
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        # For bytes that are not Parquet, Arrow may also raise an OSError, but without an errno.
        if isinstance(error, OSError) and error.errno is not None:
            raise unreadable(path, error) from None
        raise DamagedError(path, "not a readable Parquet file") from None
