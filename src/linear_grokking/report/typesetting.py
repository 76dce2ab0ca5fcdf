"""Typesetting of the page's numbers, times and sentences."""

import re
from datetime import datetime

import numpy as np
from markupsafe import Markup, escape

from linear_grokking.report.captions import SUBSCRIPT, written

_CLAIM_ID = re.compile(r"\b([ABC]T?\d+-[a-z][\w.-]*\w)")
"""The id of a claim in a note."""


def sentence(text: str) -> Markup:
    """Typeset the subscripts and powers of ten of a sentence, and turn claim ids into links."""
    pieces = _CLAIM_ID.split(str(escape(text)))
    pieces[::2] = [subscripts(words) for words in pieces[::2]]
    pieces[1::2] = [f'<a href="#claim-{name}">measured</a>' for name in pieces[1::2]]
    return Markup("".join(pieces))


def subscripts(markup: str) -> str:
    """Typeset d_out, S_∞, 1e-05 or 95 % in running text."""
    markup = SUBSCRIPT.sub(r"<sub>\1\2</sub>", markup)
    markup = re.sub(r"\b\d+(?:\.\d+)?e[-+]\d+\b", lambda found: written(float(found[0])), markup)
    return markup.replace(" %", "\N{NO-BREAK SPACE}%")


def number(value: float) -> str:
    """Write a number of the claims table with four digits and typeset powers of ten."""
    if value is None or np.isnan(value):
        return "–"
    return written(float(f"{value:.4g}"))


def key(value: float) -> str:
    """Write a number as the sort key that the page's script reads."""
    return repr(float(value)).replace("inf", "Infinity").replace("nan", "NaN")


def moment(time: str) -> str:
    """Write a time from a provenance record, to the minute."""
    return f"{datetime.fromisoformat(time):%Y-%m-%d %H:%M %Z}"


def short(commit: str | None) -> str:
    """Shorten a revision; anything but a full commit hash becomes "outside git"."""
    return commit[:12] if commit and re.fullmatch("[0-9a-f]{40}", commit) else "outside git"
