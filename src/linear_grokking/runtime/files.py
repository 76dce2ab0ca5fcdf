"""Files that are either complete or absent."""

import errno
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NOT_OFFERED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
"""Errors by which a file system says that it does not support a request."""

_TEMPORARY = re.compile(r"\.(.+(\.[^.]+))\.[0-9a-f]{8}\2")
"""Temporary names that `whole_file` gives to files with a suffix."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside ``path``, and rename it to ``path`` if all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{path.suffix}")
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def unfinished(path: Path) -> Path | None:
    """Return the file that a temporary file of `whole_file` was to become; None for others."""
    match = _TEMPORARY.fullmatch(path.name)
    return path.with_name(match[1]) if match else None


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write plain values, none of them infinite or NaN, as JSON."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")


def existing(path: Path) -> Path:
    """Return a path if it exists, or else the nearest folder above it that does."""
    path = path.absolute()
    return next(above for above in (path, *path.parents) if above.exists())


def check_place(
    option: str, path: Path, *, within: Iterable[Path] | None = None, force: bool
) -> None:
    """Refuse an option's path if it cannot be written to or existing files would be lost.

    Parameters
    ----------
    within
        Files to be written in the folder ``path``; None where ``path`` is a file itself.
    force
        Whether existing files may be replaced.

    Raises
    ------
    ValueError
        Naming the option and the path, or the existing file, in one line.
    """
    if within is None and path.is_dir():
        raise ValueError(f"--{option} {path}: is a folder; give the name of a file")
    if within is not None and path.exists() and not path.is_dir():
        raise ValueError(f"--{option} {path}: is not a folder")
    above = existing(path)
    if not (above.is_dir() or above == path.absolute()):
        raise ValueError(f"--{option} {path}: {above} is not a folder")
    if not os.access(above, os.W_OK):
        raise ValueError(f"--{option} {path}: {above} cannot be written to")
    for file in [path] if within is None else within:
        if file.exists() and not force:
            raise ValueError(f"{file} exists: add --force to replace it")


def _sync(path: Path) -> None:
    """Flush a file's contents to the disk, as far as its file system supports that."""
    with open(path, "rb") as written:
        try:
            os.fsync(written.fileno())
        except OSError as error:
            if error.errno not in _NOT_OFFERED:
                raise
