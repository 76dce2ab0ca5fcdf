"""The archive: results, what they were made from and what describes them, in one ZIP file.

The same results give the same bytes: nothing in the archive depends on when it was packed.
"""

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from linear_grokking.report import ARCHIVE_TEXT, crate, repository_files
from linear_grokking.results import storage
from linear_grokking.results.blocks import blocks_of_run
from linear_grokking.results.places import CONFIGURATION, METADATA, REPOSITORY
from linear_grokking.results.storage import StorageError, read_metadata
from linear_grokking.runtime.files import whole_file

_COMPRESSED = (".parquet", ".png")
"""Files that are compressed already; stored as they are, they can be read in parts."""


def write_archive(request: Mapping[str, Any], output: Path, root: Path, made_of: str) -> None:
    """Write an archive, whole or not at all.

    Parameters
    ----------
    request
        ``files``: the digest of each result by its name (`workflow.made_of`); the ``folders`` of
        the blocks behind them; the merged ``configuration`` and its ``sources``.
    root
        Folder that holds results/ and figures/.
    made_of
        The archive's own digest, which becomes its comment.

    Raises
    ------
    StorageError
        If a file cannot be read or has another digest.
    """
    for name, digest in request["files"].items():
        if not storage.is_made_of(root / name, digest):
            raise StorageError(
                root / name, "was made from a different request or code than the archive"
            )
    results = {name: root / name for name in request["files"]}
    paths = {crate.README: ARCHIVE_TEXT, **dict(sorted({**repository_files(), **results}.items()))}
    given = yaml.safe_dump(request["configuration"], allow_unicode=True).encode()
    tables = [path for path in results.values() if path.suffix == ".parquet"]
    blocks = [
        root / folder / f"{block}.parquet"
        for folder in request["folders"]
        for block in blocks_of_run(root / folder)
    ]
    made = crate.Made.of([read_metadata(path)[1] for path in (*tables, *blocks)])
    citation = REPOSITORY / "CITATION.cff"
    described = crate.metadata(_contents(paths, given), made, citation, request["sources"])
    with whole_file(output) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        _add(archive, METADATA, described)
        for name, content in _contents(paths, given):
            _add(archive, name, content)
        archive.comment = made_of.encode()


def _contents(paths: Mapping[str, Path], configuration: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the name and contents of each file except the metadata, one at a time."""
    yield CONFIGURATION, configuration
    for name, path in paths.items():
        yield name, storage.content_of(path)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    # All members get the earliest date that ZIP can express: the files record themselves when they
    # were made.
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o644 << 16
    packed = name.endswith(_COMPRESSED)
    info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
    archive.writestr(info, content)
