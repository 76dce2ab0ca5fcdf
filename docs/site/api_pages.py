"""Directives for the reference: the modules of a room, and the keys of experiments."""

import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

from docutils import nodes
from pydantic import TypeAdapter
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.rst import escape

from linear_grokking.config import experiments

_TYPES = {"integer": "whole number", "number": "number", "string": "text"}
_BOUNDS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
_FAR = 1e6
"""Larger bounds only guard against slips; they are not shown."""


class Room(SphinxDirective):
    """All public modules of a package, each under its own heading.

    Of a package that names what it exports, that is shown in place of its modules.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """See docutils."""
        self.env.note_dependency(__file__)
        lines: list[str] = []
        for name in _shown(self.arguments[0]):
            title = f"``{name.removeprefix('linear_grokking.')}``"
            lines += [title, "-" * len(title), "", f".. automodule:: {name}", "   :members:"]
            if hasattr(importlib.import_module(name), "__all__"):
                lines += ["   :imported-members:"]
            lines += [""]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def _shown(package: str) -> list[str]:
    module = importlib.import_module(package)
    if not hasattr(module, "__path__") or hasattr(module, "__all__"):
        return [package]
    public = (each.name for each in pkgutil.iter_modules(module.__path__) if each.name[0] != "_")
    return [name for each in sorted(public) for name in _shown(f"{package}.{each}")]


class ExperimentKeys(SphinxDirective):
    """The keys of every kind of experiment: meaning, values and default."""

    def run(self) -> list[nodes.Node]:
        """See docutils."""
        self.env.note_dependency(__file__)
        for module in Path(experiments.__file__).parent.glob("*.py"):
            self.env.note_dependency(str(module))
        lines: list[str] = []
        for kind, experiment in experiments.EXPERIMENTS.items():
            schema = TypeAdapter(experiment).json_schema()
            title = f"{schema['title']} (``{kind}``)"
            lines += [title, "-" * len(title), "", ".. list-table::", "   :header-rows: 1"]
            lines += ["", "   * - key", "     - meaning", "     - values", "     - default"]
            for key, about in schema["properties"].items():
                required = key in schema["required"]
                default = "required" if required else _default(about["default"])
                lines += [f"   * - ``{key}``", f"     - {_plain(about['description'])}"]
                lines += [f"     - {_values(about)}", f"     - {default}"]
            lines += [""]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def _default(default: Any) -> str:
    """Write a default as YAML has it; an axis of one value is that value."""
    [default] = default if isinstance(default, list) else [default]
    if default is None:
        return ""
    if isinstance(default, float) and default and not 1e-3 <= default < 1e5:
        return f"``{default:.1e}``"
    return f"``{json.dumps(default)}``".replace('"', "")


def _values(about: dict[str, Any]) -> str:
    """Write what a key may be from its JSON schema."""
    one, *others = about.get("anyOf", [about])
    names = one.get("enum") or ([one["const"]] if "const" in one else [])
    if names:
        text = ", ".join(f"``{name}``" for name in names)
    elif one["type"] == "boolean":
        text = "``true``, ``false``"
    else:
        bounds = (f"{sign} {one[key]:g}" for key, sign in _BOUNDS.items() if key in one)
        bounds = (bound for bound in bounds if float(bound.split()[1]) <= _FAR)
        text = " and ".join([_TYPES[one["type"]], *bounds]).replace(" and", "", 1)
    is_axis = any(other["type"] == "array" for other in others)
    return f"{text}; or a list" if is_axis else text


def _plain(text: str) -> str:
    """Write a description, in which `single` quotes name a key, as reStructuredText."""
    pieces = text.split("`")
    pieces[::2] = map(escape, pieces[::2])
    return "``".join(pieces)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("room", Room)
    app.add_directive("experiment-keys", ExperimentKeys)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
