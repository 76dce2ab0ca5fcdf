"""Parquet files: schemas, provenance, writing whole or not at all, reading with checks."""

import json
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from linear_grokking.runtime.files import whole_file

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = "1"
"""Raised whenever a file of an older version cannot be read as the present one."""


class StorageError(RuntimeError):
    """A file that is missing, damaged, or not what its name says."""


@cache
def revision() -> dict[str, Any]:
    """Return the repository's revision and whether its tree was dirty; None outside git."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=here, capture_output=True, text=True, check=False
            )
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    head = git("rev-parse", "HEAD")
    return {"revision": head, "dirty": None if head is None else bool(git("status", "--porcelain"))}


def provenance(**more: Any) -> dict[str, Any]:
    """Return what made a file: revision, versions, host, time (UTC) and what is added."""
    packages = ("linear-grokking", "numpy", "scipy", "pyarrow", "torch", "matplotlib", "piqp")
    return {
        **revision(),
        "versions": {"python": platform.python_version(), **{p: version(p) for p in packages}},
        "host": platform.node(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        **more,
    }


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


def damage(
    path: Path, *, spec: str | None = None, schema: pa.Schema | None = None, whole: bool = False
) -> str | None:
    """Say in a few words what is wrong with a file on disk; None if nothing is.

    Parameters
    ----------
    spec, schema
        What the file must hold; None takes any.
    whole
        Read all of it and check its checksums, not only its footer, which is much quicker.
    """
    try:
        found = pq.read_schema(path)
        if whole:
            pq.read_table(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException):
        return "not a readable Parquet file"
    metadata = found.metadata or {}
    if metadata.get(b"schema_version") != SCHEMA_VERSION.encode():
        return "written by another version of this package"
    if schema is not None and not found.equals(schema):
        return "columns are not those of its kind"
    if spec is not None and metadata.get(b"spec") != spec.encode():
        return "holds another run than its name says"
    return None


def read_table(path: Path) -> pa.Table:
    """Read a Parquet file of this project.

    Raises
    ------
    StorageError
        Naming the file, if it cannot be read or is of another version.
    """
    try:
        table = pq.read_table(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        raise StorageError(f"{path}: cannot be read: {error}".splitlines()[0]) from None
    if (table.schema.metadata or {}).get(b"schema_version") != SCHEMA_VERSION.encode():
        raise StorageError(f"{path}: written by another version of this package; delete it")
    return table


def read_metadata(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the spec and the provenance that a file carries."""
    metadata = pq.read_schema(path).metadata
    return json.loads(metadata[b"spec"]), json.loads(metadata[b"provenance"])
