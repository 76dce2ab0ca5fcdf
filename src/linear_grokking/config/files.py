"""Configuration files: plain YAML, small, without repeated keys, and without code.

This module reads every file before Snakemake reads it.
"""

from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from linear_grokking.config.messages import ConfigurationError
from linear_grokking.config.text import shown
from linear_grokking.results.places import CONFIGURATION, REPOSITORY

MAIN = Path(CONFIGURATION)
"""The configuration of the folder that the workflow runs in."""

MAX_BYTES = 1_000_000
"""The largest configuration file that is read."""

MAX_VALUES = 100_000
"""The most values that a file may hold, aliases written out."""


def load(path: Path) -> dict[str, Any]:
    """Read one configuration file.

    Raises
    ------
    ConfigurationError
        In one line: the file, the place in it, and what is allowed.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ConfigurationError(
                f"{path}: has {size} bytes; a configuration may have at most {MAX_BYTES}"
            )
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{path}, line {line}: is not UTF-8 text") from None
    try:
        raw = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}{_problem(error)}") from None
    except ValueError as error:
        reason = str(error).partition(";")[0]
        raise ConfigurationError(f"{path}: a number or date cannot be read: {reason}") from None
    except RecursionError:
        raise ConfigurationError(f"{path}: is nested too deeply") from None
    # A file with comments only is an overlay that changes nothing.
    raw = {} if raw is None else raw
    if not isinstance(raw, dict):
        raise ConfigurationError(
            f"{path}: must hold keys and values at its top level; got {shown(raw)}"
        )
    if "__use_yte__" in raw:
        raise ConfigurationError(f"{path}: __use_yte__: templates could run code; not allowed here")
    if _exceeds(raw, MAX_VALUES):
        raise ConfigurationError(
            f"{path}: holds more than {MAX_VALUES} values once its aliases (*name) are expanded"
        )
    return raw


def main_file() -> Path:
    """Return the main configuration: this folder's, or the repository's where it has none."""
    return next((path for path in (MAIN, REPOSITORY / MAIN) if path.exists()), MAIN)


def load_merged(paths: Iterable[Path]) -> dict[str, Any]:
    """Read files and merge each over those before it, key by key; a list replaces a list."""
    merged: dict[str, Any] = {}
    for path in paths:
        merged = _laid_over(merged, load(path))
    return merged


def _laid_over(below: Any, above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below) if isinstance(below, Mapping) else {}
    for key, value in above.items():
        nested = isinstance(value, Mapping)
        merged[key] = _laid_over(merged.get(key), value) if nested else value
    return merged


class _Loader(yaml.SafeLoader):
    """YAML's plain types; a key that a mapping holds twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue  # the parent class says what is wrong
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {shown(key)} appears twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _problem(error: yaml.YAMLError) -> str:
    """Say in one line what the YAML parser found, and where."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "is not YAML"
    if "\\t" in problem:
        problem = "a tab; YAML is indented with spaces"
    elif "could not determine a constructor for the tag" in problem:
        tag = problem.rpartition(" ")[2]
        problem = f"the tag {tag} is not allowed; a configuration holds plain values only"
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{place}: {problem}"


def _exceeds(value: Any, most: int) -> bool:
    """Return whether a value has more than ``most`` values, counting aliases each time."""
    waiting, count = [value], 0
    while waiting and count <= most:
        count += 1
        node = waiting.pop()
        if isinstance(node, dict):
            waiting.extend(node.values())
        elif isinstance(node, list | tuple | set):
            waiting.extend(node)
    return count > most
