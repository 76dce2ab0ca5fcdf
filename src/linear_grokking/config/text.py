"""Values and keys as messages show them: on one line, however large they are."""

import difflib
from collections.abc import Iterable
from typing import Any

LONGEST = 60
"""Characters of a value that a message repeats."""


def percent(fraction: float) -> str:
    """Write a fraction: 95 %."""
    return f"{100 * fraction:g} %"


def shown(value: Any) -> str:
    """Return a value on one line of at most `LONGEST` characters, quickly however large it is."""
    text = "".join(c if c.isprintable() else " " for c in _beginning(value))
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _beginning(value: Any, depth: int = 0) -> str:
    """Return at least the first `LONGEST` characters of ``str(value)``, and not many more."""
    if depth > LONGEST:
        return "..."
    if isinstance(value, str):
        return value[: LONGEST + 1]
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 1000:
        return "a number of more than 300 digits"
    if isinstance(value, dict):
        parts = (
            f"{_beginning(k, depth + 1)}: {_beginning(v, depth + 1)}" for k, v in value.items()
        )
        return "{" + _joined(parts) + "}"
    if isinstance(value, list | tuple | set):
        return "[" + _joined(_beginning(item, depth + 1) for item in value) + "]"
    return str(value)


def _joined(parts: Any) -> str:
    text = ""
    for part in parts:
        text += f", {part}" if text else part
        if len(text) > LONGEST:
            break
    return text


def nearest(key: Any, known: Iterable[str]) -> str:
    """Return ``; did you mean "…"?`` with the known key closest to a key, or an empty string."""
    close = closest(key, known)
    return f'; did you mean "{close}"?' if close else ""


def closest(key: Any, known: Iterable[str]) -> str | None:
    """Return the known key closest to a key, whatever its case, or None if none is close."""
    by_letters = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(shown(key).casefold(), by_letters, n=1)
    return by_letters[close[0]] if close else None
