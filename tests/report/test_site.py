"""The site: built without a warning, its links, its formulas in a browser, its notebook."""

import functools
import html
import html.parser
import importlib
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import browser
import pytest
from sphinx.util.inventory import InventoryFile

from linear_grokking import solvers, theory
from linear_grokking.config import load
from linear_grokking.config.experiments import EXPERIMENTS
from linear_grokking.figures.registry import title
from linear_grokking.workflow.plan import read

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
FIGURES = list(read(load(REPOSITORY / "config" / "config.yaml")).figures)
TYPOGRAPHY = str.maketrans("“”’–", '""\'-')
needs_browser = pytest.mark.skipif(
    browser.CHROMIUM is None, reason="Chromium is not installed: the site is not looked at"
)


def build(folder):
    """Build the site as `make docs` does; its notebook is run on the way."""
    command = ["--fail-on-warning", "--keep-going", "--quiet", "--show-traceback"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *command, str(DOCS), str(folder)],
        cwd=REPOSITORY,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def site(once):
    return once("site", build)


class Page(html.parser.HTMLParser):
    """What a page leads to, what it loads, and the places in it that links may lead to."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loaded, self.anchors, self.without_text = [], [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors |= {found[key] for key in ("id", "name") if found.get(key)}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag in ("img", "script", "link") and (found.get("src") or found.get("href")):
            self.loaded.append(found.get("src") or found["href"])
        if tag == "img" and not found.get("alt"):
            self.without_text.append(found["src"])


@functools.cache
def page(path):
    return Page(path.read_text(encoding="utf-8"))


def pages(site):
    return [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]


def test_links_lead_to_files_and_to_places_in_them(site):
    broken, followed = [], 0
    for source in pages(site):
        for link in {*page(source).links, *page(source).loaded}:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https"):
                assert re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.netloc), link
                continue
            assert not parts.scheme and not parts.netloc, link
            target = (source.parent / unquote(parts.path)) if parts.path else source
            anchor = unquote(parts.fragment)
            followed += 1
            within = not anchor or target.suffix != ".html" or anchor in page(target).anchors
            if not (target.is_file() and within):
                broken.append((source.name, link))
    assert broken == [] and followed > 2000


def test_nothing_is_loaded_from_elsewhere(site):
    for source in pages(site):
        assert [each for each in page(source).loaded if urlsplit(each).netloc] == []


def test_every_page_of_the_documentation_is_there_and_the_start_is_the_readme(site):
    for source in DOCS.glob("*.md"):
        assert (site / f"{source.stem}.html").exists(), source
    start = (site / "index.html").read_text(encoding="utf-8")
    for heading in ("Change something and run again", "How it is built", "Read this before citing"):
        assert heading in start
    assert "<h2>Figures" not in start and "figure tables" in start


def test_the_gallery_shows_every_figure_with_its_words(site):
    text = (site / "gallery.html").read_text(encoding="utf-8")
    anchors = page(site / "gallery.html").anchors
    words = html.unescape(re.sub(r"<[^>]*>", "", text)).translate(TYPOGRAPHY)
    for figure in FIGURES:
        assert figure.lower() in anchors
        assert f"{figure}.png" in text
        assert f"{figure}: {title(figure).replace('_', '')}".translate(TYPOGRAPHY) in words
    assert page(site / "gallery.html").without_text == []
    assert "d<sub>out</sub>" in text and "{{" not in text


def test_the_table_of_what_helps_has_its_rows_and_leads_to_figures(site):
    text = (site / "does_x_help.html").read_text(encoding="utf-8")
    assert text.count("<tr") > 20 and "Grokfast" in text and "γ<sub>max</sub>" in text
    assert {link for link in page(site / "does_x_help.html").links if "gallery.html#a8" in link}


def test_public_functions_have_an_entry(site):
    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    listed = {name for kind in inventory.data.values() for name in kind}
    assert {"linear_grokking.predict", "linear_grokking.analysis.analyze"} <= listed
    assert {f"linear_grokking.load.{name}" for name in ("table", "history", "runs")} <= listed
    for room in (theory, solvers):
        for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            module = importlib.import_module(found.name)
            if any(part.startswith("_") for part in found.name.split(".")):
                continue
            if found.name.startswith("linear_grokking.solvers.") and found.name.count(".") > 2:
                continue  # inside a package, which shows what it exports
            for name, value in inspect.getmembers(module, inspect.isfunction):
                if value.__module__ == found.name and not name.startswith("_"):
                    assert f"{found.name}.{name}" in listed


def test_every_key_of_every_experiment_is_described(site):
    text = (site / "api" / "experiments.html").read_text(encoding="utf-8")
    for experiment in EXPERIMENTS.values():
        for key in experiment.parameters():
            assert f'<span class="pre">{key}</span>' in text
    assert "conjugate_gradients" in text and "whole number ≥ 1; or a list" in text


@needs_browser
@pytest.mark.parametrize(("name", "fewest"), [("theory", 1000), ("errata", 100), ("notebook", 5)])
def test_formulas_are_typeset_without_a_network(name, fewest, site, tmp_path):
    options = ("--virtual-time-budget=60000", "--dump-dom")
    drawn = browser.run(site / f"{name}.html", tmp_path, *options).stdout
    source = (site / f"{name}.html").read_text(encoding="utf-8")
    written = len(re.findall(r'class="math notranslate', source))
    assert written > fewest
    assert drawn.count("<mjx-container") == written
    # A formula that is not understood stays as it is, or is red where a command is not.
    assert not re.search(r'<\w+[^>]* data-mml-node="merror"|fill="red"', drawn)


FRAMES = """<!DOCTYPE html><head></head><body>
{frames}
<script>
  addEventListener("load", () => setTimeout(() => {{
    const widths = [...document.querySelectorAll("iframe")].map((view) => {{
      const content = view.contentDocument.querySelector(".content");
      return [content.scrollWidth, content.clientWidth, view.clientWidth].join(" of ");
    }});
    document.title = widths.join(", ");
  }}, 20000));
</script></body>"""
"""Shows pages in frames, which may be narrower than a headless window, and tells their widths."""


@needs_browser
def test_no_page_is_wider_than_a_phone_or_a_desk(site, tmp_path):
    names = ("index", "gallery", "does_x_help", "theory", "data", "notebook", "api/theory")
    shown = [(name, width) for name in names for width in (390, 1280)]
    frames = "\n".join(
        f'<iframe src="{name}.html" width="{width}" height="900"></iframe>' for name, width in shown
    )
    page = site / "frames.html"
    page.write_text(FRAMES.format(frames=frames), encoding="utf-8")
    options = ("--allow-file-access-from-files", "--virtual-time-budget=60000", "--dump-dom")
    drawn = browser.run(page, tmp_path, *options).stdout
    page.unlink()
    [title] = re.findall(r"<title>(.*)</title>", drawn)
    for (name, width), widths in zip(shown, title.split(", "), strict=True):
        told = list(map(int, widths.split(" of ")))
        assert told == sorted(told) and told[-1] == width, name


def test_the_notebook_is_stored_without_outputs_and_was_run(site):
    notebook = json.loads((DOCS / "notebook.ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(code) > 5
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    text = (site / "notebook.html").read_text(encoding="utf-8")
    assert text.count('<img alt="_images') == 4
    assert "steps to 95 % accuracy" in text and "run: held-out rows" in text
