"""Fingerprints of the code that a result depends on: what the code says, not where it is.

The fingerprint of an entry point (``"solvers.spectral:spectral"``) is a digest of its
definition and of every definition of this package that it reaches through names and
imports, as syntax trees without docstrings, comments, annotations and imports.  Where a
definition names another one, the other's digest takes the place of the name, so that
definitions may be moved to another module or renamed.  Editing a formula changes the
fingerprints of everything that uses it; editing a comment, a type, or an unrelated function
changes none.

Code that only estimates how long or how large a job is does not count: no job reaches the cost
model, and the modules that batch, save and move numbers are left out (`APART`).

Where a name cannot be resolved to one definition (a module passed on as a value), the whole
module counts.  Definitions that are looked up by string at run time are not found: they must be
named among the entry points, as `jobs.kinds` does with solvers, laws and losses.
"""

import ast
import atexit
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from linear_grokking.runtime.files import write_json

APART = ("runtime", "results.storage")
"""Packages and modules that move numbers without changing them; files state their own format."""

_DEPTH = 3
"""How many levels of named definitions enter a digest, to tell apart definitions of equal text."""
_SILENT = {"ctx", "kind", "type_comment", "annotation", "returns"}
"""Fields of a syntax tree without behaviour."""

_BLOCKS = (ast.If, ast.Try, ast.With, ast.For, ast.While, ast.Match)
"""Statements that hold others in the module's own scope."""

_IMPORTS = (ast.Import, ast.ImportFrom)

Symbol = tuple[str, str]
"""A module of the package (dotted, relative to it; "" is the package) and a name in it."""
Token = str | frozenset[Symbol]
"""A piece of a definition's text, or the definitions that it names at this place."""


def fingerprint(entries: Iterable[str]) -> str:
    """Return the digest of what the entry points ``"module:name"`` of this package depend on.

    Fingerprints are cached beside Python's bytecode until a source changes.

    Raises
    ------
    ValueError
        If an entry point does not exist.
    """
    return _of_this_package().fingerprint(entries)


def with_files(entries: Iterable[str], files: Iterable[Path]) -> str:
    """Return the digest of what entry points depend on, and of the text files that they read.

    Line endings do not count, as they may differ between clones.
    """
    # Text mode reads every line ending as "\n", here and in the sources.
    texts = (f"{path.name}\n{path.read_text(encoding='utf-8')}" for path in files)
    return f"{fingerprint(entries)}-{_hash(''.join(texts))[:16]}"


class Package:
    """The sources of a package.

    Parameters
    ----------
    root
        Its folder, which has the package's name.  All sources are read at once, so that later
        edits cannot mix with earlier contents.

    Attributes
    ----------
    sources
        Contents of each module's file, by its path from the root.
    """

    def __init__(self, root: Path):
        self.name = root.name
        self.sources = {
            path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(root.rglob("*.py"))
        }
        self._modules: dict[str, _Module] = {}
        self._tokens: dict[Symbol, list[Token]] = {}
        self._digests: dict[tuple[Symbol, int], str] = {}

    def fingerprint(self, entries: Iterable[str]) -> str:
        """See `fingerprint`."""
        named = [self._entry(entry) for entry in entries]
        waiting, closure = list(named), set[Symbol]()
        while waiting:
            symbol = waiting.pop()
            if symbol not in closure:
                closure.add(symbol)
                named_here = (token for token in self._text(symbol) if not isinstance(token, str))
                waiting += [each for symbols in named_here for each in symbols]
        lines = ({self._digest(symbol) for symbol in which} for which in (named, closure))
        return _hash("\n".join(";".join(sorted(line)) for line in lines))[:16]

    def _entry(self, entry: str) -> Symbol:
        module, _, name = entry.partition(":")
        if not self._exists(module) or name not in self._module(module).definitions:
            raise ValueError(f"{self.name}.{module} defines no {name!r}")
        return module, name

    def _digest(self, symbol: Symbol, depth: int = _DEPTH) -> str:
        """Return the digest of a definition and of those that it names, down to a depth."""
        key = symbol, depth
        if key not in self._digests:
            inner = depth - 1
            self._digests[key] = _hash(
                "".join(
                    token
                    if isinstance(token, str)
                    else f"&{','.join(sorted(self._digest(s, inner) for s in token))}&"
                    if depth
                    else "&&"
                    for token in self._text(symbol)
                )
            )
        return self._digests[key]

    def _text(self, symbol: Symbol) -> list[Token]:
        """Return the tokens of a definition."""
        if symbol not in self._tokens:
            module, name = symbol
            here = self._module(module)
            tokens: list[Token] = []
            for statement in here.definitions[name]:
                scope = dict(here.imports)
                for node in ast.walk(statement):
                    if isinstance(node, _IMPORTS):
                        scope.update(self._imports(module, node))
                self._write(statement, module, scope, tokens, named=True)
            self._tokens[symbol] = list(_merged(tokens))
        return self._tokens[symbol]

    def _write(
        self,
        node: object,
        module: str,
        scope: "dict[str, _Import]",
        tokens: list[Token],
        *,
        named: bool = False,
    ) -> None:
        """Append a syntax tree to the tokens, except positions, empty and silent fields.

        The result for the same code is the same in every version of Python.  A definition that
        others refer to (``named``) is written without its name.
        """
        if isinstance(node, ast.AST):
            chain = _chain(node)
            if chain:
                tokens += self._meaning(chain, module, scope)
                return
            tokens.append(f"{type(node).__name__}(")
            for field in node._fields:
                value = getattr(node, field, None)
                if field in _SILENT or value is None or value == [] or (named and field == "name"):
                    continue
                tokens.append(f"{field}=")
                self._write(value, module, scope, tokens)
                tokens.append(",")
            tokens.append(")")
        elif isinstance(node, list):
            tokens.append("[")
            for item in node:
                if not (_is_docstring(item) or isinstance(item, _IMPORTS)):
                    self._write(item, module, scope, tokens)
                    tokens.append(",")
            tokens.append("]")
        else:
            tokens.append(repr(node))

    def _meaning(
        self, chain: list[str], module: str, scope: "dict[str, _Import]"
    ) -> Iterator[Token]:
        """Yield the tokens of a dotted name in a module."""
        first, *rest = chain
        if first in scope:
            found, rest = self._follow(*scope[first], rest)
        elif first in self._module(module).definitions:
            found = frozenset({(module, first)})
        else:
            found, rest = frozenset(), chain
        if found:
            yield found
        yield repr(rest)

    def _follow(
        self, module: str | None, name: str | None, rest: list[str]
    ) -> tuple[frozenset[Symbol], list[str]]:
        """Return the definitions of a name, through re-exports, and the attributes left over.

        Module and name are those of `_Import`; ``rest`` are the attributes that follow.
        """
        if module is None:
            return frozenset(), [".".join([str(name), *rest])]
        if name is None and rest:
            name, *rest = rest
        if any(module == each or module.startswith(f"{each}.") for each in APART):
            return frozenset(), [name or "", *rest]
        source = self._module(module)
        if name is None:
            return frozenset((module, each) for each in source.definitions), rest
        if name in source.definitions:
            return frozenset({(module, name)}), rest
        # `from package import module` in the package itself names that module, not itself.
        if source.imports.get(name, here := (module, name)) != here:
            return self._follow(*source.imports[name], rest)
        submodule = f"{module}.{name}".lstrip(".")
        if self._exists(submodule):
            return self._follow(submodule, None, rest)
        return frozenset((module, each) for each in source.definitions), [name, *rest]

    def _module(self, name: str) -> "_Module":
        if name not in self._modules:
            tree = ast.parse(self.sources[self._path(name)])
            module = _Module()
            for statement in tree.body:
                for node in ast.walk(statement) if isinstance(statement, _BLOCKS) else [statement]:
                    module.imports.update(self._imports(name, node))
                if not _is_docstring(statement):
                    for defined in _names_defined(statement):
                        module.definitions.setdefault(defined, []).append(statement)
            self._modules[name] = module
        return self._modules[name]

    def _path(self, module: str) -> str:
        folder = module.replace(".", "/")
        package = f"{folder}/__init__.py".lstrip("/")
        return package if package in self.sources else f"{folder}.py"

    def _exists(self, module: str) -> bool:
        return self._path(module) in self.sources

    def _imports(self, module: str, node: ast.AST) -> "Iterator[tuple[str, _Import]]":
        """Yield the names that an import binds, and what they mean."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                top, _, inner = alias.name.partition(".")
                bound = alias.asname or top
                if top == self.name:
                    yield bound, (inner if alias.asname else "", None)
                else:
                    yield bound, (None, alias.name if alias.asname else top)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{self.name}.{module}: imports must be absolute")
            top, _, inner = (node.module or "").partition(".")
            ours = top == self.name
            for alias in node.names:
                if alias.name == "*":
                    raise ValueError(f"{self.name}.{module}: import * hides what is used")
                outside = (None, f"{node.module}.{alias.name}")
                yield alias.asname or alias.name, (inner, alias.name) if ours else outside


class Kept:
    """Fingerprints of a package, computed once for all processes.

    Parameters
    ----------
    package
        Its sources; fingerprints of other sources are not used.
    folder
        Where they are kept; if that is not possible, each process computes its own.
    """

    def __init__(self, package: Package, folder: Path):
        self._package = package
        self._file = folder / f"fingerprints-{_hash(json.dumps(package.sources))[:16]}.json"
        self._known = self._on_disk()

    def fingerprint(self, entries: Iterable[str]) -> str:
        """See `fingerprint`."""
        named = sorted(entries)
        key = " ".join(named)
        if key not in self._known:
            self._known[key] = self._package.fingerprint(named)
            atexit.unregister(self.save)
            atexit.register(self.save)
        return self._known[key]

    def _on_disk(self) -> dict[str, str]:
        with suppress(OSError, ValueError):
            return json.loads(self._file.read_text())
        return {}

    def save(self) -> None:
        """Add new fingerprints to those saved meanwhile, and delete those of older sources."""
        if sys.dont_write_bytecode:
            return
        with suppress(OSError):
            write_json(self._file, self._on_disk() | self._known)
            for file in self._file.parent.glob("fingerprints-*.json"):
                if file != self._file:
                    file.unlink(missing_ok=True)


@cache
def _of_this_package() -> Kept:
    root = Path(__file__).parents[1]
    return Kept(Package(root), root / "__pycache__")


_Import = tuple[str | None, str | None]
"""The module that an imported name comes from, and its name there; None for the module itself.

For names of other packages the module is None, and the name is the whole dotted one.
"""


@dataclass
class _Module:
    """The top-level definitions and imports of one module."""

    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, _Import] = field(default_factory=dict)


def _merged(tokens: Iterable[Token]) -> Iterator[Token]:
    """Yield the tokens with consecutive pieces of text joined."""
    pieces: list[str] = []
    for token in tokens:
        if isinstance(token, str):
            pieces.append(token)
        else:
            yield "".join(pieces)
            yield token
            pieces.clear()
    yield "".join(pieces)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _names_defined(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a top-level statement defines or alters."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
    elif not isinstance(statement, ast.Import | ast.ImportFrom):
        # A call such as TABLE.update(…), or a block of statements: all names in it.
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                yield node.id
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield node.name


def _chain(node: object) -> list[str]:
    """Return the parts of a dotted name (``a``, ``a.b.c``); nothing for any other node."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        inner = _chain(node.value)
        return [*inner, node.attr] if inner else []
    return []


def _is_docstring(node: object) -> bool:
    """Tell whether a statement is nothing but a string, which has no behaviour."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
