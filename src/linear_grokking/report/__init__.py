"""The report: one HTML page with figures, captions, claims and the runs behind them."""

import hashlib
from pathlib import Path

from linear_grokking.results.fingerprint import fingerprint


def report_code() -> str:
    """Return the fingerprint of what makes the page: code, template, style and texts."""
    here = Path(__file__).parent
    files = (path for path in sorted(here.rglob("*")) if path.is_file())
    resources = (path.read_bytes() for path in files if path.suffix not in (".py", ".pyc"))
    digest = hashlib.sha256(b"".join(resources)).hexdigest()
    return f"{fingerprint(['report.page:write_page'])}-{digest[:16]}"
