"""Which code a result depends on: what the code says, not where it lies.

The fingerprint of an entry point (``"solvers.spectral:spectral"``) is a digest of its
definition and of every definition of this package that it reaches through names and
imports, as syntax trees without docstrings, comments, annotations and imports.  Where a
definition names another, its digest stands for the name, so that a definition may move to
another module, or be renamed.  Editing a formula changes the fingerprints of what uses it;
editing a comment, a type, or a function beside it, changes none.

What only says how long or how large a job is does not count: the cost model is reached by no
job, and the room that batches, saves and moves numbers is apart (`APART`).

Where a name cannot be resolved to one definition (a module passed on as a value), all of
its module counts.  What is looked up by text at run time is not seen: name it among the
entry points, as `jobs.kinds` does with solvers, laws and losses.
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from linear_grokking.runtime.files import whole_file

APART = ("runtime", "results.storage")
"""Rooms and modules that carry numbers about and change none; files tell their own format."""

_DEPTH = 3
"""How far into what a definition names its digest tells namesakes apart."""
_SILENT = {"ctx", "kind", "type_comment", "annotation", "returns"}
"""Fields of a syntax tree without behaviour."""

_BLOCKS = (ast.If, ast.Try, ast.With, ast.For, ast.While, ast.Match)
"""Statements that hold others in the module's own scope."""

Symbol = tuple[str, str]
"""A module of the package (dotted, relative to it; "" is the package) and a name in it."""
Token = str | frozenset[Symbol]
"""A piece of a definition's text, or the definitions that stand at this place."""


def fingerprint(entries: Iterable[str]) -> str:
    """Return the digest of what the entry points ``"module:name"`` of this package depend on.

    Raises
    ------
    ValueError
        If an entry point does not exist.
    """
    return _this_package().fingerprint(entries)


def with_files(entries: Iterable[str], files: Iterable[Path]) -> str:
    """Return the digest of what entry points depend on, and of the text files that they read.

    How the lines of a file end does not count: a clone may have other ends.
    """
    # Text is read with "\n" at the end of each line, as the sources are.
    texts = (f"{path.name}\n{path.read_text(encoding='utf-8')}" for path in files)
    return f"{fingerprint(entries)}-{_hash(''.join(texts))[:16]}"


class Kept:
    """Fingerprints of a package that are kept in a file as long as none of its sources changes.

    To parse what the jobs and figures of a plan reach takes a third of the plan.

    Parameters
    ----------
    package
        What computes those that the file does not hold.
    file
        A file that cannot be read or written, or is damaged, is as none.
    """

    def __init__(self, package: "Package", file: Path):
        self._package = package
        self._file = file
        self._known = self._read()

    def fingerprint(self, entries: Iterable[str]) -> str:
        """See `fingerprint`."""
        entries = sorted(set(entries))
        key = " ".join(entries)
        if key not in self._known:
            self._known[key] = self._package.fingerprint(entries)
            self._write()
        return self._known[key]

    def _read(self) -> dict[str, str]:
        with suppress(OSError, ValueError):
            seal, kept = self._file.read_text(encoding="utf-8").split("\n")
            if seal == self._seal(kept):
                return json.loads(kept)
        return {}

    def _write(self) -> None:
        kept = json.dumps(self._known)
        with suppress(OSError), whole_file(self._file) as temporary:
            temporary.write_text(f"{self._seal(kept)}\n{kept}", encoding="utf-8")

    def _seal(self, kept: str) -> str:
        """Return what tells whether kept fingerprints are whole, and of today's sources."""
        return _hash(self._package.digest + kept)


class Package:
    """The sources of a package.

    Parameters
    ----------
    root
        Its folder, which carries the package's name.  Its modules are read at once.
    """

    def __init__(self, root: Path):
        self.root = root
        self.name = root.name
        self._sources = {path: path.read_text(encoding="utf-8") for path in root.rglob("*.py")}
        self._modules: dict[str, _Module] = {}
        self._tokens: dict[Symbol, list[Token]] = {}
        self._digests: dict[tuple[Symbol, int], str] = {}

    @cached_property
    def digest(self) -> str:
        """Digest of all sources and of where they lie in the package."""
        texts = ((str(path.relative_to(self.root)), text) for path, text in self._sources.items())
        return _hash("\0".join(each for pair in sorted(texts) for each in pair))

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
        """Return the digest of a definition, with those that it names down to a depth."""
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
        """Return what a definition says."""
        if symbol not in self._tokens:
            module, name = symbol
            here = self._module(module)
            tokens: list[Token] = []
            for statement in here.definitions[name]:
                scope = dict(here.imports)
                for node in ast.walk(statement):
                    scope.update(self._imports(module, node))
                tokens += self._written(statement, module, scope, named=True)
            self._tokens[symbol] = tokens
        return self._tokens[symbol]

    def _written(
        self, node: object, module: str, scope: "dict[str, _Import]", *, named: bool = False
    ) -> Iterator[Token]:
        """Write a syntax tree without what carries no behaviour, nor positions or empty fields.

        It comes out the same for the same code in every version of Python.  A definition that
        is ``named`` by others goes without its name.
        """
        chain = _chain(node)
        if chain:
            yield from self._meaning(chain, module, scope)
        elif isinstance(node, ast.AST):
            yield f"{type(node).__name__}("
            silent = _SILENT | {"name"} if named else _SILENT
            for field, value in ast.iter_fields(node):
                if field in silent or value is None or value == []:
                    continue
                yield f"{field}="
                yield from self._written(value, module, scope)
                yield ","
            yield ")"
        elif isinstance(node, list):
            yield "["
            for item in node:
                if not (_is_docstring(item) or isinstance(item, ast.Import | ast.ImportFrom)):
                    yield from self._written(item, module, scope)
                    yield ","
            yield "]"
        else:
            yield repr(node)

    def _meaning(
        self, chain: list[str], module: str, scope: "dict[str, _Import]"
    ) -> Iterator[Token]:
        """Yield what stands for a dotted name in a module."""
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
        """Return where a name is defined, through modules that pass it on, and what it leaves.

        Arguments as in `_Import`, with attributes ``rest``.
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
        # A package's `from . import module` names that module, not itself.
        if source.imports.get(name, here := (module, name)) != here:
            return self._follow(*source.imports[name], rest)
        submodule = f"{module}.{name}".lstrip(".")
        if self._exists(submodule):
            return self._follow(submodule, None, rest)
        return frozenset((module, each) for each in source.definitions), [name, *rest]

    def _module(self, name: str) -> "_Module":
        if name not in self._modules:
            tree = ast.parse(self._sources[self._path(name)])
            module = _Module()
            for statement in tree.body:
                for node in ast.walk(statement) if isinstance(statement, _BLOCKS) else [statement]:
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
        return self._path(module) in self._sources

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
            source = self._source(module, node)
            for alias in node.names:
                if alias.name == "*":
                    raise ValueError(f"{self.name}.{module}: import * hides what is used")
                name = alias.asname or alias.name
                outside = (None, f"{node.module}.{alias.name}")
                yield name, outside if source is None else (source, alias.name)

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


@cache
def _this_package() -> Kept:
    package = Package(Path(__file__).parents[1])
    return Kept(package, Path(__file__).parent / "__pycache__" / "fingerprints.json")


_Import = tuple[str | None, str | None]
"""The module of a name that was imported, and its name there; None for the module itself.

A module None stands for another package, with the whole dotted name.
"""


@dataclass
class _Module:
    """The top-level definitions and imports of one module."""

    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, _Import] = field(default_factory=dict)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


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


def _chain(node: object) -> list[str]:
    """Return the parts of a dotted name (``a``, ``a.b.c``); nothing for any other node."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        inner = _chain(node.value)
        return [*inner, node.attr] if inner else []
    return []


def _is_docstring(node: object) -> bool:
    """Tell whether a statement is a string that stands alone: it carries no behaviour."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
