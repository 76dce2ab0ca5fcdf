"""How docstrings, which are written for a terminal, become pages."""

import importlib
import inspect
import re
from typing import Any

from docutils import nodes
from numpy.typing import ArrayLike
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import stringify_annotation

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
    listing = example = False
    for line in lines:
        if line.startswith(":vartype "):
            continue
        if line.startswith(":ivar "):
            made += [] if listing else [":Attributes:", ""]
            attribute, text = _field(line)
            shape = f" ({shapes[attribute]})" if attribute in shapes else ""
            line, listing = f"   * **{attribute}**{shape} -- {text}", True
        elif listing and line.startswith(" "):
            line = f"     {line.strip()}"
        elif line:
            made += [""] if listing else []
            listing = False
        example = bool(line) and (example or line.lstrip().startswith(">>> "))
        made.append(line if example else _plain(line.replace(_COLON, ":")))
    lines[:] = made


def _plain(line: str) -> str:
    pieces = _CODE.split(line)
    pieces[::2] = [_MARKUP.sub(r"\\\1", piece) for piece in pieces[::2]]
    return "".join(pieces)


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
    where = node["reftype"], node["reftarget"]
    return env.domains.python_domain.resolve_xref(
        env, node["refdoc"], app.builder, *where, node, text
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("autodoc-process-docstring", _before_napoleon, priority=100)
    app.connect("autodoc-process-docstring", _after_napoleon, priority=900)
    app.connect("autodoc-process-signature", _short_types)
    app.connect("autodoc-skip-member", _skipped)
    app.connect("missing-reference", _from_its_end)
    app.connect("viewcode-follow-imported", _where)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
