"""The start page is README.md without the parts that have pages of their own on the site."""

import os
import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
HERE = "<!-- README.md -->"
"""Where README.md stands in the start page."""
LEFT_OUT = re.compile(r"<!-- not on the site -->.*?<!-- on the site -->\n", re.DOTALL)
"""What README.md has for GitHub alone."""
_LINK = re.compile(r"\[([^\]]*)\]\((?!https?:)([^)#]+)(#[^)]*)?\)")


def from_docs(markdown: str) -> str:
    """Return a page of the repository's root as one of docs/: its links lead to the same files.

    A link to a folder, for which the site has no page, is left as text.
    """

    def moved(found: re.Match[str]) -> str:
        text, target, anchor = found[1], found[2], found[3] or ""
        if (ROOT / target).is_dir():
            return text
        return f"[{text}]({os.path.relpath(target, 'docs')}{anchor})"

    return _LINK.sub(moved, markdown)


class Flowchart(SphinxDirective):
    """A flowchart that GitHub draws, as a list of its arrows."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """See docutils."""
        chart = "\n".join(self.content)
        labels = dict(re.findall(r'(\w+)\["(.*?)"\]', chart))
        arrows: dict[str, list[str]] = {}
        for start, end in re.findall(r"(\w+)(?:\[.*?\])? --> (\w+)", chart):
            arrows.setdefault(start, []).append(end)
        listed = nodes.bullet_list(classes=["flowchart"])
        for start, ends in arrows.items():
            text = f"{_label(labels[start])} → {', '.join(_label(labels[end]) for end in ends)}"
            listed += nodes.list_item("", nodes.paragraph("", text))
        return [listed]


def _label(text: str) -> str:
    name, _, place = text.partition("<br>")
    return f"{name} ({place})" if place else name


def _fill_in(app: Sphinx, docname: str, source: list[str]) -> None:
    if HERE in source[0]:
        readme = LEFT_OUT.sub("", README.read_text(encoding="utf-8"))
        source[0] = source[0].replace(HERE, from_docs(readme))
        app.env.note_dependency(README)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("mermaid", Flowchart)
    app.connect("source-read", _fill_in)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
