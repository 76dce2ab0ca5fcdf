"""Headless Chromium: opening a page, and finding things out about it."""

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WAITING = "--virtual-time-budget=30000"
"""Option for scripts that wait: a clock that stops while the page works, and else jumps ahead."""
_MARK = "@found@"
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


def run(page: Path, folder: Path, *options: str) -> subprocess.CompletedProcess:
    """Open a page; no name resolves, so that nothing can be fetched from anywhere."""
    profile = folder / "profile"
    shutil.rmtree(profile, ignore_errors=True)
    command = [CHROMIUM, *_OPTIONS, f"--user-data-dir={profile}", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=400)


def evaluate(page: Path, folder: Path, script: str, *options: str) -> str:
    """Return as text what a script finds once the page is loaded; it may wait (`WAITING`)."""
    probe = f"""<script>addEventListener("load", async () => {{
      const errors = window.probeErrors;
      let outcome;
      try {{ outcome = JSON.stringify(await (async () => {{ {script} }})()); }}
      catch (error) {{ outcome = "error: " + error; }}
      console.log("{_MARK}" + encodeURIComponent(outcome) + "{_MARK}");
    }});</script>"""
    early = """<script>window.probeErrors = [];
      addEventListener("error", (event) => window.probeErrors.push(String(event.message)), true);
      console.error = (...words) => window.probeErrors.push(words.join(" "));</script>"""
    text = page.read_text(encoding="utf-8")
    # The page's own closing tag is its last one; plotly's code may hold others.
    start, end = text.rsplit("</body>", 1)
    probed = folder / "probed.html"
    probed.write_text(
        start.replace("<head>", "<head>" + early, 1) + probe + "</body>" + end, encoding="utf-8"
    )
    # The log is read rather than the page's text, which is large and slow to get.
    picture = f"--screenshot={folder / 'probed.png'}"
    log = run(probed, folder, picture, "--enable-logging=stderr", *options).stderr
    found = re.search(f"{_MARK}(.*?){_MARK}", log)
    assert found, f"the page's script did not run to its end: {log[-2000:]}"
    return unquote(found[1])
