"""Which code a result depends on.

The fingerprint of an entry point (``"solvers.spectral:solve"``) is a digest of its
definition and of every definition of this package that it reaches through names and
imports, as syntax trees without docstrings and comments.  Editing a formula changes the
fingerprints of what uses it; editing a comment, or a function beside it, changes none.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

PACKAGE = "linear_grokking"
ROOT = Path(__file__).parent

APART = frozenset({"resume", "jobs.context"})
"""Modules that carry a computation and change none of its numbers."""

Symbol = tuple[str, str]
"""A module of the package (dotted, relative to it) and a name it defines."""


def fingerprint(entries: Iterable[str]) -> str:
    """Return the digest of what the entry points ``"module:name"`` depend on.

    Raises
    ------
    LookupError
        If an entry point does not exist.
    """
    reached = _closure(tuple(tuple(entry.split(":")) for entry in sorted(entries)))
    text = "\n".join(f"{module}:{name} {_definition(module, name)}" for module, name in reached)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _closure(entries: tuple[Symbol, ...]) -> list[Symbol]:
    """Return the entry points and all they reach, sorted."""
    reached: set[Symbol] = set()
    waiting = list(entries)
    while waiting:
        symbol = waiting.pop()
        if symbol in reached:
            continue
        module, name = symbol
        if name not in _module(module).definitions:
            raise LookupError(f"{PACKAGE}.{module} defines no {name!r}")
        reached.add(symbol)
        waiting.extend(_references(module, name))
    return sorted(reached)


class _Module:
    """The top-level definitions and imports of one module."""

    def __init__(self, name: str):
        self.definitions: dict[str, list[ast.stmt]] = {}
        self.imports: dict[str, Symbol] = {}
        self.module_imports: dict[str, str] = {}
        tree = ast.parse(_path(name).read_text(encoding="utf-8"))
        for statement in tree.body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self._add_import(statement)
            elif not _is_docstring(statement):
                for defined in _names_defined(statement):
                    self.definitions.setdefault(defined, []).append(statement)

    def _add_import(self, statement: ast.Import | ast.ImportFrom) -> None:
        for source, name, bound in _package_imports(statement):
            if _exists(f"{source}.{name}" if source else name):
                self.module_imports[bound] = f"{source}.{name}" if source else name
            else:
                self.imports[bound] = (source, name)


def _path(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _exists(module: str) -> bool:
    return _path(module).is_file()


@cache
def _module(name: str) -> _Module:
    return _Module(name)


def _package_imports(statement: ast.stmt) -> Iterator[tuple[str, str, str]]:
    """Yield (module, name, bound name) of what a statement imports from this package."""
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            if alias.name.startswith(PACKAGE + ".") and alias.asname:
                source, _, name = alias.name.removeprefix(PACKAGE + ".").rpartition(".")
                yield source, name, alias.asname
    elif isinstance(statement, ast.ImportFrom) and (statement.module or "").split(".")[0] == (
        PACKAGE
    ):
        source = statement.module.removeprefix(PACKAGE).removeprefix(".")
        for alias in statement.names:
            yield source, alias.name, alias.asname or alias.name


def _names_defined(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            for node in ast.walk(target):
                if isinstance(node, ast.Name):
                    yield node.id
    elif isinstance(statement, ast.TypeAlias if hasattr(ast, "TypeAlias") else ()):
        yield statement.name.id


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


class _WithoutDocstrings(ast.NodeTransformer):
    """Drops every string that stands alone: docstrings carry no behaviour."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if _is_docstring(node) else self.generic_visit(node)


@cache
def _definition(module: str, name: str) -> str:
    statements = _module(module).definitions[name]
    # Parsed afresh: the transformer works in place and the module's tree is shared.
    copies = [ast.parse(ast.unparse(statement)) for statement in statements]
    return " ".join(ast.dump(_WithoutDocstrings().visit(copy)) for copy in copies)


@cache
def _references(module: str, name: str) -> tuple[Symbol, ...]:
    """Return the symbols of this package that a definition names."""
    found: set[Symbol] = set()
    for statement in _module(module).definitions[name]:
        local = _local_imports(statement)
        for node in ast.walk(statement):
            found.update(_resolve(module, node, local))
    return tuple(sorted(found))


def _local_imports(statement: ast.stmt) -> _Module:
    """Collect the imports inside a function: heavy libraries are imported where used."""
    scope = _Module.__new__(_Module)
    scope.definitions, scope.imports, scope.module_imports = {}, {}, {}
    for node in ast.walk(statement):
        if isinstance(node, ast.Import | ast.ImportFrom):
            scope._add_import(node)
    return scope


def _resolve(module: str, node: ast.AST, local: _Module) -> Iterator[Symbol]:
    here = _module(module)
    modules = here.module_imports | local.module_imports
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        target = modules.get(node.value.id)
        if target is not None:
            yield from _follow(target, node.attr)
    elif isinstance(node, ast.Name):
        imports = here.imports | local.imports
        if node.id in imports:
            yield from _follow(*imports[node.id])
        elif node.id in here.definitions:
            yield module, node.id


def _follow(module: str, name: str) -> Iterator[Symbol]:
    """Yield where a name is defined, through the fronts that re-export it."""
    source = _module(module)
    if module in APART:
        return
    if name in source.definitions:
        yield module, name
    elif name in source.imports:
        yield from _follow(*source.imports[name])
