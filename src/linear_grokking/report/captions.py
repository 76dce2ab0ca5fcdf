"""Captions: one text per figure, filled in from the runs, for both reports.

``text/<ID>.rst`` is a Jinja template in reStructuredText.  It begins with one-line comments:
``.. alt: …`` describes the picture to those who cannot see it.  ``.. paper: …`` says what the
paper's figure shows, or ``.. open: …``, if there is no such figure, what the papers leave open.  In
the text, a figure's roles stand for its runs, so that ``{{ dynamics.sigma }}`` becomes the values
of σ among them, and ``options`` stands for the figure's options.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from linear_grokking.config.experiments import PARAMETERS
from linear_grokking.config.text import percent
from linear_grokking.figures import registry

FOLDER = Path(__file__).with_name("text")
SUBSCRIPT = re.compile(r"(?<=[^\W_])_([^\W_]+|∞)|(?<=[²‖*])_([^\W_]+)")
"""A subscript as the texts write it (d_out, ‖S‖_F); one of the two groups matches it."""
_COMMENT = re.compile(r"^\.\. (alt|paper|open): (.*)\n", re.MULTILINE)
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
ABSENT = "\N{EN DASH}"
_NAMED = {"adam": "Adam", "adamw": "AdamW"}
"""Solvers with names of their own; the others are called what their keys say."""
PAPERS = {
    "A": "Paper A, linear regression",
    "B": "Paper B, logistic classification",
    "C": "Beyond both papers",
}
"""Categories of figures, by the first letter of their IDs."""


@dataclass(frozen=True)
class Caption:
    """A figure's caption.

    Attributes
    ----------
    title
        One line, from the figure's module.
    text
        reStructuredText, parameters filled in.
    alt
        What the picture shows, in words.
    beside
        What to compare the figure with, as reStructuredText; empty if the template does not say.
    is_ours
        Whether ``beside`` says what the papers leave open, rather than what their figure shows.
    """

    title: str
    text: str
    alt: str
    beside: str = ""
    is_ours: bool = False

    @property
    def heading(self) -> str:
        """The heading of `beside`."""
        return "What the papers leave open" if self.is_ours else "What the paper’s figure shows"


def caption(request: Mapping[str, Any]) -> Caption:
    """Return the caption of a figure.

    Parameters
    ----------
    request
        What the figure's table is made from: the request of `targets.table`.

    Raises
    ------
    ValueError
        If the template names a role or a parameter that the figure does not have.
    """
    figure = request["figure"]
    name = registry.title(figure)
    path = FOLDER / f"{figure}.rst"
    if not path.exists():
        runs = "; ".join(
            f"*{role}*: {len(runs)} runs" for role, runs in sorted(request["runs"].items())
        )
        return Caption(name, f"{name}\n\n{runs}\n", name)
    source = path.read_text(encoding="utf-8")
    comments = dict(_COMMENT.findall(source))
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, finalize=written)
    roles = {role: Values(runs) for role, runs in request["runs"].items()}
    try:
        text = environment.from_string(_COMMENT.sub("", source)).render(
            options=request["options"],
            percent=percent(request["threshold"]),
            loss_threshold=request["loss_threshold"],
            **roles,
        )
    except jinja2.UndefinedError as error:
        raise ValueError(f"{path.name}: {error}") from None
    beside = comments.get("paper") or comments.get("open", "")
    alt = comments.get("alt", name)
    return Caption(name, text.strip() + "\n", alt, beside, is_ours="open" in comments)


def caption_text(request: Mapping[str, Any]) -> str:
    """Return a figure's title and caption, for Snakemake's own report."""
    made = caption(request)
    beside = f"\n*{made.heading}*: {made.beside}\n" if made.beside else ""
    return f"{made.title}\n\n{made.text}{beside}"


def category(figure: str) -> str:
    """Return the part of the report that a figure belongs to."""
    return PAPERS[figure[0]]


class Values:
    """Parameters of the runs of one role: the values that occur, in the order of the grid.

    ``realizations`` gives the numbers of realizations of the runs, ``common_realizations`` the
    smallest of these.  ``method`` says how the runs were computed, and ``how`` also what the curves
    and bands show.
    A parameter that these runs do not have, as of another law, is a dash.
    """

    def __init__(self, runs: list[Mapping[str, Any]]):
        self._runs = runs

    def __getitem__(self, key: str) -> str:
        realizations = [run["realizations"] for run in self._runs]
        if key == "how":
            return f"medians and quartiles of {min(realizations)} draws; {self['method']}"
        if key == "method":
            if self["solver"] != "gradient_flow":
                return _NAMED.get(self["solver"], self["solver"].replace("_", " "))
            steps = self["gd_steps"]
            flow = f"gradient descent for {steps} steps, then its flow"
            return "gradient flow" if steps == "0" else flow
        if key == "realizations":
            found = realizations
        elif key == "common_realizations":
            found = [min(realizations)]
        else:
            found = [run["parameters"][key] for run in self._runs if key in run["parameters"]]
        if not found:
            if key not in PARAMETERS:
                raise KeyError(key)
            return ABSENT
        return ", ".join(written(value) for value in dict.fromkeys(found))


def written(value: Any) -> str:
    """Write a value for a reader: 0.48, −2, 4000, 10⁹, 2.5·10⁻⁷."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    sign = "\N{MINUS SIGN}" if value < 0 else ""
    value = abs(value)
    if value == math.inf:
        return f"{sign}∞"
    if value == 0 or 1e-3 <= value < 1e5:
        return f"{sign}{value:g}"
    mantissa, exponent = f"{value:.3e}".split("e")
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPTS)
    mantissa = mantissa.rstrip("0").rstrip(".")
    return sign + (power if mantissa == "1" else f"{mantissa}·{power}")
