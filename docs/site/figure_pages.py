"""Directives for the gallery of figures and for the table "Does X help?"."""

from collections.abc import Iterable
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.rst import escape

from linear_grokking import load
from linear_grokking.config import load_merged
from linear_grokking.report import captions, does_x_help
from linear_grokking.results.places import SHIPPED, Size
from linear_grokking.workflow.plan import Plan, read, targets
from linear_grokking.workflow.plan.forecast import forecast
from linear_grokking.workflow.shipping import CONFIGURATIONS

ROOT = Path(__file__).parents[2]
COMMANDS: dict[Size, str] = {"config": "snakemake -c2 {}", "paper": "make paper-size FIGURES={}"}


class Gallery(SphinxDirective):
    """Every figure of a configuration with its picture and caption, by paper.

    Those that were not made at that size are named at the end, with what they would take.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """See docutils."""
        size: Size = self.arguments[0]
        folder = ROOT / SHIPPED[size]
        files = [ROOT / path for path in CONFIGURATIONS[size]]
        texts = captions.FOLDER.glob("*.rst")
        for path in (__file__, *files, *texts, *folder.glob("*.png")):
            self.env.note_dependency(path)
        plan = Plan(read(load_merged(files)), folder)
        figures = list(plan.config.figures)
        there = [each for each in figures if (folder / f"{each}.png").exists()]
        lines: list[str] = []
        shown = ""
        for figure in there:
            if captions.category(figure) != shown:
                shown = captions.category(figure)
                lines += [shown, "=" * len(shown), ""]
            lines += _entry(size, figure, captions.caption(targets.table(plan, figure).request))
        if there != figures:
            lines += _missing(plan, set(figures) - set(there))
        return typeset(self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True))


def _entry(size: Size, figure: str, caption: captions.Caption) -> list[str]:
    made = load.table(figure, root=ROOT, size=size).attrs["provenance"]
    title = f"{figure}: {caption.title}"
    return [
        # Others link to a figure in the gallery.
        *((f".. _{figure}:", "") if size == "config" else ()),
        *(title, "-" * len(title), ""),
        *(f".. image:: {Path(SHIPPED[size]).name}/{figure}.png", f"   :alt: {caption.alt}", ""),
        *(caption.text, ""),
        *((f"**{caption.heading}.** {caption.beside}", "") if caption.beside else ()),
        f"Made by ``{COMMANDS[size].format(figure)}`` at revision ``{made['revision'][:8]}``; "
        f'its numbers are ``load.table("{figure}", size="{size}")``.',
        "",
    ]


def _missing(plan: Plan, figures: set[str]) -> list[str]:
    """List figures that were not made, with what is left of their work; runs may be shared."""
    lines = ["Not made yet", "=" * 12, "", ".. list-table::", "   :header-rows: 1", ""]
    lines += _row(["figure", "blocks that are here", "blocks left", "core-hours left, by the plan"])
    for each in forecast(plan, gpus=False):
        if each.figure in figures:
            numbers = (each.jobs_done, each.jobs_left, f"{each.core_hours:.1f}")
            lines += _row([f":ref:`{each.figure} <{each.figure}>`", *map(str, numbers)])
    return [*lines, ""]


class DoesXHelp(SphinxDirective):
    """The shipped table "Does X help?", a part for each model."""

    def run(self) -> list[nodes.Node]:
        """See docutils."""
        for path in (__file__, does_x_help.__file__, ROOT / SHIPPED["config"] / "X1.parquet"):
            self.env.note_dependency(path)
        table = load.table("X1", root=ROOT, size="config")
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
