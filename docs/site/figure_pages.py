"""Directives for the gallery of figures and for the table "Does X help?"."""

from collections.abc import Iterable
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.rst import escape

from linear_grokking import load
from linear_grokking.config import load as load_configuration
from linear_grokking.report import captions, does_x_help
from linear_grokking.workflow.plan import Plan, read, targets

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "config" / "config.yaml"
SHIPPED = ROOT / "docs" / "gallery"


class Gallery(SphinxDirective):
    """Every figure of config/config.yaml with its picture and caption, by paper."""

    def run(self) -> list[nodes.Node]:
        """See docutils."""
        for path in (
            __file__,
            CONFIGURATION,
            *captions.FOLDER.glob("*.rst"),
            *SHIPPED.glob("*.png"),
        ):
            self.env.note_dependency(path)
        plan = Plan(read(load_configuration(CONFIGURATION)))
        lines: list[str] = []
        shown = ""
        for figure in plan.config.figures:
            if captions.category(figure) != shown:
                shown = captions.category(figure)
                lines += [shown, "=" * len(shown), ""]
            lines += _entry(figure, captions.caption(targets.table(plan, figure).request))
        return typeset(self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True))


def _entry(figure: str, caption: captions.Caption) -> list[str]:
    title = f"{figure}: {caption.title}"
    return [
        *(f".. _{figure}:", "", title, "-" * len(title), ""),
        *(f".. image:: gallery/{figure}.png", f"   :alt: {caption.alt}", ""),
        *(caption.text, ""),
        *((f"**{caption.heading}.** {caption.beside}", "") if caption.beside else ()),
        f"Made by ``snakemake -c2 {figure}``; its numbers are "
        f'``load.table("{figure}", shipped=True)``.',
        "",
    ]


class DoesXHelp(SphinxDirective):
    """The shipped table "Does X help?", a part for each model."""

    def run(self) -> list[nodes.Node]:
        """See docutils."""
        for path in (__file__, does_x_help.__file__, SHIPPED / "X1.parquet"):
            self.env.note_dependency(path)
        table = load.table("X1", root=ROOT, shipped=True)
        lines: list[str] = []
        for model, title in does_x_help.MODELS.items():
            rows = table[table["model"] == model]
            lines += [escape(title), "=" * len(escape(title)), "", ".. list-table::"]
            lines += ["   :header-rows: 1", ""]
            lines += _row(does_x_help.HEADS.values())
            for cells in rows[list(does_x_help.HEADS)].itertuples(index=False):
                *texts, figures = cells
                links = ", ".join(f":ref:`{each} <{each}>`" for each in figures.split(", "))
                lines += _row([*map(escape, texts), links])
            lines += [""]
        lines += [escape(does_x_help.NOTE)]
        return typeset(self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True))


def _row(cells: Iterable[str]) -> list[str]:
    first, *others = cells
    return [f"   * - {first}", *(f"     - {cell}".rstrip() for cell in others)]


def typeset(parsed: list[nodes.Node]) -> list[nodes.Node]:
    """Set the subscripts of texts, as the report does."""
    for node in parsed:
        for text in list(node.findall(nodes.Text)):
            words = text.astext()
            if captions.SUBSCRIPT.search(words) and not isinstance(text.parent, nodes.literal):
                text.parent.replace(text, _pieces(words))
    return parsed


def _pieces(text: str) -> list[nodes.Node]:
    made: list[nodes.Node] = []
    end = 0
    for found in captions.SUBSCRIPT.finditer(text):
        below = found[1] or found[2]
        made += [nodes.Text(text[end : found.start()]), nodes.subscript(below, below)]
        end = found.end()
    return [*made, nodes.Text(text[end:])]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("gallery", Gallery)
    app.add_directive("does-x-help", DoesXHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
