"""What is said about a configuration that cannot be used: one line per mistake."""

from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import TypeAdapter, ValidationError

from linear_grokking.config.experiments import BY_MEASURE, EXPERIMENTS, name_of
from linear_grokking.config.fields import Section
from linear_grokking.config.text import nearest, shown
from linear_grokking.errors import LinearGrokkingError

MOST_LINES = 20
"""Mistakes that are listed; the others are counted."""

Model = TypeVar("Model", bound=Section)


class ConfigurationError(LinearGrokkingError, ValueError):
    """A configuration that cannot be used; the message has one line per mistake."""


def validated(model: type[Model], raw: Any) -> Model:
    """Return what a model makes of a configuration.

    Raises
    ------
    ConfigurationError
        One line per mistake: the key, the value, what is allowed and, for an unknown key,
        the nearest known one.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise explain(raw, error, model) from None


def explain(raw: Any, error: ValidationError, model: type[Section]) -> ConfigurationError:
    """Return the error that says each mistake of a configuration of some model in one line."""
    found = error.errors(include_url=False, include_context=True)
    lines = list(dict.fromkeys(_line(raw, detail, model) for detail in found))
    if len(lines) > MOST_LINES:
        lines[MOST_LINES:] = [f"and {len(lines) - MOST_LINES} more mistakes"]
    return ConfigurationError("\n".join(lines))


def reader(kind: Any) -> Callable[[str], Any]:
    """Return what reads an option as a type of the configuration."""
    adapter = TypeAdapter(kind)

    def read(text: str) -> Any:
        try:
            return adapter.validate_python(text)
        except ValidationError as error:
            allowed = str(explain({}, error, Section)).partition(": ")[2]
            raise ArgumentTypeError(f"{text}: {allowed}") from None

    return read


# What is allowed, by the type of pydantic's error, in words for who never saw pydantic.
_ALLOWED = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a section: keys with values",
    "finite_number": "must be finite",
    "float_type": "must be a number",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "int_from_float": "must be an integer",
    "int_parsing_size": "is too large",
    "int_type": "must be an integer",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be {expected}",
    "model_type": "must be a section: keys with values",
    "recursion_loop": "contains itself",
    "string_pattern_mismatch": "names must start with a-z and contain only a-z, 0-9 and _",
    "string_too_long": "names may have at most {max_length} characters",
    "string_type": "must be text",
    "too_long": "must hold at most {max_length} values",
    "too_short": "is empty; must hold at least one value",
    "tuple_type": "must be one value or a list of values",
}


def _line(raw: Any, detail: Any, model: type[Section]) -> str:
    kind, value = detail["type"], detail["input"]
    path = _path(raw, detail)
    where = ".".join(shown(part) for part in path) or "configuration"
    if "[key]" in detail["loc"]:
        where = f"{'.'.join(shown(part) for part in path[:-1])}: the name"
    match kind:
        case "reference":
            return detail["msg"]
        case "extra_forbidden":
            known = sorted(_fields(_section_at(raw, path[:-1], model)))
            return f"{where}: unknown key{nearest(path[-1], known)} (allowed: {', '.join(known)})"
        case "invalid_key":
            return f"{where}: keys must be text"
        case "missing":
            info = _fields(_section_at(raw, path[:-1], model))[path[-1]]
            return f"{where}: is missing; it is required: {info.description}"
        case "union_tag_invalid" | "union_tag_not_found":
            return _no_such_kind(where, value)
        case "refused":
            return f"{where}: {detail['msg']}"
    allowed, context = _ALLOWED.get(kind), detail.get("ctx", {})
    if kind == "tuple_type" and not isinstance(value, Mapping):  # an axis takes one value, too
        allowed = "must be a list of values"
    if kind == "too_short" and context["min_length"] > 1:
        allowed = "must hold at least {min_length} values"
    return f"{where} = {shown(value)}: {allowed.format(**context) if allowed else detail['msg']}"


def _no_such_kind(where: str, experiment: Any) -> str:
    if not isinstance(experiment, Mapping):
        return f"{where} = {shown(experiment)}: must be a section: keys with values"
    kinds = sorted(set(EXPERIMENTS) - set(BY_MEASURE))
    allowed = f"must be one of {', '.join(kinds)}; or set measure to {' or '.join(BY_MEASURE)}"
    model = experiment.get("model")
    if model is None:
        return f"{where}.model: is missing; {allowed}"
    return f"{where}.model = {shown(model)}: {allowed}{nearest(model, kinds)}"


def _path(raw: Any, detail: Any) -> list:
    """Return where a mistake lies, without what pydantic adds: union tags, axis positions."""
    path: list = []
    node = raw
    for position, part in enumerate(detail["loc"]):
        if position == 2 and path[:1] == ["experiments"] and part in EXPERIMENTS:
            continue
        named = isinstance(node, Mapping) and part in node
        counted = isinstance(node, list | tuple) and isinstance(part, int)
        if named or counted:
            path.append(part)
            node = node[part]
    if detail["type"] == "missing":
        path.append(detail["loc"][-1])
    return path


def _section_at(raw: Any, path: list, model: type[Section]) -> type[Section]:
    """Return the type of the section at a place of the configuration."""
    section: Any = model
    for depth, part in enumerate(path):
        if depth == 1 and path[0] == "experiments":
            section = EXPERIMENTS[str(name_of(raw["experiments"][part]))]
        elif isinstance(part, str) and path[: depth + 1] != ["experiments"]:
            section = next(_sections(_fields(section)[part].annotation))
    return section


def _fields(section: type[Section]) -> dict[str, Any]:
    """Return the fields of a section under the keys of the configuration."""
    return {info.alias or name: info for name, info in section.model_fields.items()}


def _sections(annotation: Any) -> Iterator[type[Section]]:
    """Yield the sections inside an annotation such as ``Span | None``."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for part in get_args(annotation):
        yield from _sections(part)
