"""Which code a result depends on.

The fingerprint of an entry point (``"solvers.spectral:solve"``) is a digest of its
definition and of every definition of this package that it reaches through names and
imports, as syntax trees without docstrings and comments.  Editing a formula changes the
fingerprints of what uses it; editing a comment, or a function beside it, changes none.

Where a name cannot be resolved to one definition (a module passed on as a value), all of
its module counts.  What is looked up by text at run time is not seen: name it among the
entry points.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

APART = frozenset({"resume", "jobs.context", "progress", "storage"})
"""Modules that carry numbers about and change none; files tell their format themselves."""

Symbol = tuple[str, str]
"""A module of the package (dotted, relative to it; "" is the package) and a name in it."""


def fingerprint(entries: Iterable[str]) -> str:
    """Return the digest of what the entry points ``"module:name"`` of this package depend on.

    Raises
    ------
    ValueError
        If an entry point does not exist.
    """
    return _this_package().fingerprint(entries)


@cache
def _this_package() -> "Package":
    return Package(Path(__file__).parent)


class Package:
    """The sources of a package.

    Parameters
    ----------
    root
        Its folder, which carries the package's name.  Each module is read once.
    """

    def __init__(self, root: Path):
        self.root = root
        self.name = root.name
        self._modules: dict[str, _Module] = {}
        self._digests: dict[Symbol, str] = {}
        self._reached: dict[Symbol, frozenset[Symbol]] = {}

    def fingerprint(self, entries: Iterable[str]) -> str:
        """See `fingerprint`."""
        waiting = [self._entry(entry) for entry in entries]
        closure: set[Symbol] = set()
        while waiting:
            symbol = waiting.pop()
            if symbol not in closure:
                closure.add(symbol)
                waiting.extend(self._references(symbol))
        lines = (f"{module}:{name} {self._digest((module, name))}" for module, name in closure)
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]

    def _entry(self, entry: str) -> Symbol:
        module, _, name = entry.partition(":")
        if not self._exists(module) or name not in self._module(module).definitions:
            raise ValueError(f"{self.name}.{module} defines no {name!r}")
        return module, name

    def _digest(self, symbol: Symbol) -> str:
        """Return the digest of a definition alone."""
        if symbol not in self._digests:
            module, name = symbol
            statements = self._module(module).definitions[name]
            text = " ".join(_written(statement) for statement in statements)
            self._digests[symbol] = hashlib.sha256(text.encode()).hexdigest()
        return self._digests[symbol]

    def _references(self, symbol: Symbol) -> frozenset[Symbol]:
        """Return the symbols of this package that a definition names."""
        if symbol not in self._reached:
            module, name = symbol
            here = self._module(module)
            found: set[Symbol] = set()
            for statement in here.definitions[name]:
                scope = dict(here.imports)
                for node in ast.walk(statement):
                    scope.update(self._imports(module, node))
                for chain in _chains(statement):
                    found.update(self._resolve(module, chain, scope))
            self._reached[symbol] = frozenset(found)
        return self._reached[symbol]

    def _resolve(
        self, module: str, chain: list[str], scope: dict[str, "_Import"]
    ) -> Iterator[Symbol]:
        """Yield what a dotted name means in a module."""
        first, *rest = chain
        if first in scope:
            source, name = scope[first]
            yield from self._follow(source, name, rest)
        elif first in self._module(module).definitions:
            yield module, first

    def _follow(self, module: str, name: str | None, rest: list[str] = ()) -> Iterator[Symbol]:
        """Yield where a name is defined, through the modules that pass it on.

        ``name`` None stands for the module itself, as a value or with the attributes ``rest``.
        """
        if module in APART:
            return
        if name is None and rest:
            name, *rest = rest
        source = self._module(module)
        submodule = f"{module}.{name}".lstrip(".")
        if name in source.definitions:
            yield module, name
        elif source.imports.get(name, (module, name)) != (module, name):
            yield from self._follow(*source.imports[name], rest)
        elif name is not None and self._exists(submodule):
            yield from self._follow(submodule, None, rest)
        else:
            yield from ((module, each) for each in source.definitions)

    def _module(self, name: str) -> "_Module":
        if name not in self._modules:
            tree = ast.parse(self._path(name).read_text(encoding="utf-8"))
            module = _Module()
            for statement in tree.body:
                for node in ast.walk(statement) if _is_block(statement) else [statement]:
                    module.imports.update(self._imports(name, node))
                if not _is_docstring(statement):
                    for defined in _names_defined(statement):
                        module.definitions.setdefault(defined, []).append(statement)
            self._modules[name] = module
        return self._modules[name]

    def _path(self, module: str) -> Path:
        path = self.root.joinpath(*module.split(".")) if module else self.root
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

    def _exists(self, module: str) -> bool:
        return self._path(module).is_file()

    def _imports(self, module: str, node: ast.AST) -> "Iterator[tuple[str, _Import]]":
        """Yield the names that an import of this package binds, and what they mean."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                top, _, inner = alias.name.partition(".")
                if top == self.name:
                    yield (alias.asname, (inner, None)) if alias.asname else (top, ("", None))
        elif isinstance(node, ast.ImportFrom):
            source = self._source(module, node)
            for alias in node.names if source is not None else ():
                if alias.name == "*":
                    raise ValueError(f"{self.name}.{module}: import * hides what is used")
                yield alias.asname or alias.name, (source, alias.name)

    def _source(self, module: str, node: ast.ImportFrom) -> str | None:
        """Return the module of this package that names are imported from, or None."""
        if node.level:
            parts = module.split(".") if module else []
            if self._path(module).name != "__init__.py":
                parts.pop()
            parts = parts[: len(parts) - (node.level - 1)]
            return ".".join([*parts, *(node.module or "").split(".")]).strip(".")
        top, _, inner = (node.module or "").partition(".")
        return inner if top == self.name else None


_Import = tuple[str, str | None]
"""The module of a name that was imported, and its name there; None for the module itself."""


class _Module:
    """The top-level definitions and imports of one module."""

    def __init__(self) -> None:
        self.definitions: dict[str, list[ast.stmt]] = {}
        self.imports: dict[str, _Import] = {}


def _is_block(statement: ast.stmt) -> bool:
    """Tell whether a statement holds others in the module's own scope (if, try, with, for)."""
    return isinstance(statement, ast.If | ast.Try | ast.With | ast.For | ast.While | ast.Match)


def _names_defined(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement at the top of a module gives a meaning, or alters."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
    elif not isinstance(statement, ast.Import | ast.ImportFrom):
        # A call such as TABLE.update(…), or a block of statements: all that it names.
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                yield node.id
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield node.name


def _chains(node: ast.AST) -> Iterator[list[str]]:
    """Yield the dotted names (``a``, ``a.b.c``) in a tree, each as long as it is written."""
    if isinstance(node, ast.Attribute):
        parts: list[str] = []
        inner: ast.AST = node
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name):
            yield [inner.id, *reversed(parts)]
            return
    elif isinstance(node, ast.Name):
        yield [node.id]
    for child in ast.iter_child_nodes(node):
        yield from _chains(child)


def _is_docstring(node: ast.AST) -> bool:
    """Tell whether a statement is a string that stands alone: it carries no behaviour."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _written(node: object) -> str:
    """Write a syntax tree without docstrings, positions and empty fields.

    Unlike ``ast.dump``, it writes the same for the same code in every version of Python.
    """
    if isinstance(node, ast.AST):
        fields = (
            f"{name}={_written(value)}"
            for name, value in ast.iter_fields(node)
            if name not in {"ctx", "kind", "type_comment"} and value not in (None, [])
        )
        return f"{type(node).__name__}({', '.join(fields)})"
    if isinstance(node, list):
        return "[" + ", ".join(_written(item) for item in node if not _is_docstring(item)) + "]"
    return repr(node)
