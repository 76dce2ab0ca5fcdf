"""Directives for the reference: the modules of a room, and the keys of experiments."""

import importlib
import inspect
import json
import pkgutil
import re
from typing import Any

from docutils import nodes
from numpy.typing import ArrayLike
from pydantic import TypeAdapter
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import stringify_annotation

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
        self.env.note_dependency(experiments.__file__)
        lines: list[str] = []
        for kind, experiment in experiments.EXPERIMENTS.items():
            title = f"{experiment.model_config['title']} (``{kind}``)"
            lines += [title, "-" * len(title), "", ".. list-table::", "   :header-rows: 1"]
            lines += ["", "   * - key", "     - meaning", "     - values", "     - default"]
            schema = TypeAdapter(experiment).json_schema()
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
    pieces[::2] = [re.sub(r"([\\*|_])", r"\\\1", piece) for piece in pieces[::2]]
    return "``".join(pieces)


_ARRAY_LIKE = stringify_annotation(ArrayLike, "smart")
_COLON = "\N{RATIO}"
_CODE = re.compile(r"(`+[^`]*`+|^\s*:\w[^:]*:)")
_MARKUP = re.compile(r"(\||(?<=\w)_(?!\w)|\*(?=_))")


def _before_napoleon(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Keep it from taking what stands before a colon for the type of a constant."""
    if what in ("data", "attribute"):
        lines[:] = [line.replace(":", _COLON) for line in lines]


def _after_napoleon(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """List attributes as napoleon lists parameters; |D| and lambda_ are no markup."""
    shapes = dict(_field(line) for line in lines if line.startswith(":vartype "))
    made: list[str] = []
    inside = False
    for line in lines:
        if line.startswith(":vartype "):
            continue
        if line.startswith(":ivar "):
            made += [] if inside else [":Attributes:", ""]
            attribute, text = _field(line)
            shape = f" ({shapes[attribute]})" if attribute in shapes else ""
            line, inside = f"   * **{attribute}**{shape} -- {text}", True
        elif inside and line:
            line = f"     {line.strip()}"
        pieces = _CODE.split(line.replace(_COLON, ":"))
        pieces[::2] = [_MARKUP.sub(r"\\\1", piece) for piece in pieces[::2]]
        made.append("".join(pieces))
    lines[:] = made


def _field(line: str) -> tuple[str, str]:
    name, text = line.split(" ", 1)[1].split(":", 1)
    return name, text.strip()


def _short_types(
    app: Sphinx,
    what: str,
    name: str,
    obj: object,
    options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Write NumPy's ArrayLike by its name, not as the union that it is; say nothing of Any."""
    shown = signature and signature.replace(_ARRAY_LIKE, "ArrayLike")
    return shown, None if returns == "Any" else returns


def _skipped(
    app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: object
) -> bool | None:
    """Leave out fields of named tuples: the docstring of their class describes them."""
    return True if (getattr(obj, "__doc__", "") or "").startswith("Alias for field") else None


def _where(app: Sphinx, module: str, name: str) -> str | None:
    """Take the source of a constant from the module that documents it, not its type's."""
    value = getattr(importlib.import_module(module), name, None)
    is_constant = not (value is None or inspect.isclass(value) or inspect.isroutine(value))
    return module if is_constant else None


def _from_its_end(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, text: nodes.TextElement
) -> nodes.Element | None:
    """Find what docstrings name by the end of its place: `trajectory.Solver`."""
    if node.get("refdomain") != "py" or node.hasattr("refspecific"):
        return None
    node["refspecific"] = True
    found = env.domains.python_domain.resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], node["reftarget"], node, text
    )
    return found


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("room", Room)
    app.add_directive("experiment-keys", ExperimentKeys)
    app.connect("autodoc-process-docstring", _before_napoleon, priority=100)
    app.connect("autodoc-process-docstring", _after_napoleon, priority=900)
    app.connect("autodoc-process-signature", _short_types)
    app.connect("autodoc-skip-member", _skipped)
    app.connect("missing-reference", _from_its_end)
    app.connect("viewcode-follow-imported", _where)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
