"""Headless Chromium: opening a page, and what it says of itself."""

import html
import re
import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=20000"),
)


def run(page: Path, folder: Path, *options: str) -> subprocess.CompletedProcess:
    """Open a page; no name resolves, so that nothing can be fetched from anywhere."""
    profile = folder / "profile"
    shutil.rmtree(profile, ignore_errors=True)
    command = [CHROMIUM, *_OPTIONS, f"--user-data-dir={profile}", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=180)


def evaluate(page: Path, folder: Path, script: str, *options: str) -> str:
    """Return what a script, added at the page's end, finds as text; errors are its outcome."""
    probe = f"""<script>addEventListener("load", async () => {{
      const errors = window.probeErrors;
      let outcome;
      try {{ outcome = JSON.stringify(await (async () => {{ {script} }})()); }}
      catch (error) {{ outcome = "error: " + error; }}
      const found = document.createElement("pre");
      found.id = "probe";
      found.textContent = outcome;
      document.body.append(found);
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
    dom = run(probed, folder, "--dump-dom", *options).stdout
    found = re.search(r'<pre id="probe">(.*?)</pre>', dom, re.DOTALL)
    assert found, "the page's script did not run to its end"
    return html.unescape(found[1])
