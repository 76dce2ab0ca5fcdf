"""The report: one HTML page with figures, captions, claims and the runs behind them."""

from pathlib import Path

from linear_grokking.results.fingerprint import with_files

_RESOURCES = ("*.html", "*.css", "*.js", "text/*.rst")
"""What the page is made of beside its code."""


def report_code() -> str:
    """Return the fingerprint of what makes the page: code, template, style and texts."""
    here = Path(__file__).parent
    files = [path for pattern in _RESOURCES for path in sorted(here.glob(pattern))]
    return with_files(["report.page:write_page"], files)
