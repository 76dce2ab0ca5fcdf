"""The report: one HTML page with figures, captions, claims and the runs behind them."""

from pathlib import Path

from linear_grokking.results.fingerprint import with_files

_RESOURCES = ("*.html", "*.css", "*.js", "*.toml", "text/*.rst")
"""What the page is made of beside its code."""


def does_x_help_code() -> str:
    """Return the fingerprint of what makes the table "Does X help?": code, rows and style."""
    made = [f"report.does_x_help:{name}" for name in ("table", "draw")]
    rows = Path(__file__).with_name("does_x_help.toml")
    return with_files([*made, "figures.style:sheet", "figures.style:save"], [rows])


def report_code() -> str:
    """Return the fingerprint of what makes the page: code, template, style and texts."""
    here = Path(__file__).parent
    files = [path for pattern in _RESOURCES for path in sorted(here.glob(pattern))]
    return with_files(["report.page:write_page"], files)
