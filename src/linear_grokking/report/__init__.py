"""The report: one HTML page with figures, captions, claims and the runs behind them."""

import hashlib
from pathlib import Path

from linear_grokking.results.fingerprint import fingerprint


def report_code() -> str:
    """Return the fingerprint of what makes the page: code, template, style and texts."""
    here = Path(__file__).parent
    resources = sorted(path for path in here.rglob("*") if path.suffix not in (".py", ".pyc"))
    digest = hashlib.sha256()
    for path in resources:
        if path.is_file():
            digest.update(path.read_bytes())
    return f"{fingerprint(['report.page:write_page'])}-{digest.hexdigest()[:16]}"
