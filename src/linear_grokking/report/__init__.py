"""The report, one HTML page with figures, captions, claims and the runs behind them.

The archive of all results, which contains this page, is made here as well.
"""

from pathlib import Path

from linear_grokking.results.fingerprint import with_files
from linear_grokking.results.places import REPOSITORY

_RESOURCES = ("*.html", "*.css", "*.js", "*.toml", "text/*.rst")
"""Files that the page is made from, besides its code."""


ARCHIVE_TEXT = Path(__file__).with_name("archive.md")
"""The README of an archive."""
_OF_REPOSITORY = (
    *("Snakefile", "workflow/*/*.smk", "workflow/*/*.py", "workflow/*/*.rst"),
    *("requirements.txt", "pyproject.toml", "LICENSE", "CITATION.cff"),
)
"""Files of the repository that an archive holds besides the results."""


def does_x_help_code() -> str:
    """Return the fingerprint of the table "Does X help?": its code, rows and style."""
    made = [f"report.does_x_help:{name}" for name in ("table", "draw")]
    rows = Path(__file__).with_name("does_x_help.toml")
    return with_files([*made, "figures.style:sheet", "figures.style:save"], [rows])


def report_code() -> str:
    """Return the fingerprint of the page: its code, template, style and texts."""
    here = Path(__file__).parent
    files = [path for pattern in _RESOURCES for path in sorted(here.glob(pattern))]
    return with_files(["report.page:write_page"], files)


def repository_files() -> dict[str, Path]:
    """Return the repository's files that an archive holds, by their names in the repository."""
    found = (path for pattern in _OF_REPOSITORY for path in sorted(REPOSITORY.glob(pattern)))
    return {path.relative_to(REPOSITORY).as_posix(): path for path in found}


def archive_code() -> str:
    """Return the fingerprint of an archive: its code, and the repository's files in it."""
    made = ["report.crate:metadata", "report.archive:write_archive"]
    return with_files(made, [ARCHIVE_TEXT, *repository_files().values()])
