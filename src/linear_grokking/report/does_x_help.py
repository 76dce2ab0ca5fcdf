"""Table X1, "Does X help?", for practitioners; each cell is backed by a claim.

The text of the rows is in ``does_x_help.toml``.  The numbers come from the judged claims, which
also decide whether a cell is shown at all.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linear_grokking.figures import style
from linear_grokking.report.captions import written

ROWS = Path(__file__).with_suffix(".toml")
CELLS = ("training", "generalization", "delay", "formula", "answer")
COLUMNS = ("model", "what", "where", *CELLS, "figure", "claims")
MODELS = {
    "linear": "Linear regression, λ = d_in/N",
    "logistic": "Logistic classification, λ = d/N",
}
NOTE = (
    "÷, ×: relative to gradient descent, or to the smaller value, on the same sets; ηt: relative "
    "to gradient flow; share: of sets\nthat reach the accuracy; fit: of sets fit without error; "
    "95 % intervals in parentheses; empty: not measured. Formulas are\nfor large sets, with "
    "predictions."
)
_NUMBER = r"(?:[≤≥] )?[\d.e+-]*\d"
_SETTING = re.compile(rf"\b(λ|σ|s²|α|p|B) (?:= |(?=[≤≥]))({_NUMBER}(?:(?:, | or ){_NUMBER})*)")
"""The parts of a claim's statement that give the parameters at which it was measured."""
HEADS = {
    "what": "change",
    "where": "setting",
    "training": "training time",
    "generalization": "generalization time",
    "delay": "delay",
    "formula": "formula",
    "answer": "does it help?",
    "figure": "figure",
}
"""The columns that are shown, and their headings."""
_FIRST = {"what": 0.0, "training": 1.3, "generalization": 2.32, "delay": 3.92, "answer": 5.28}
_FIRST |= {"figure": 6.72}
_SECOND = {"where": 0.0, "formula": _FIRST["training"]}
"""Where the columns of a row's two lines begin on the page, in inches."""
_LINE = 0.16
"""Height of a line of the page in inches."""


def table(claims: pd.DataFrame) -> pd.DataFrame:
    """Return the table (columns `COLUMNS`) with its cells as text.

    Parameters
    ----------
    claims
        Claims as `claims.judged` returns them.  A cell says ``undecided`` if its claim does not
        have the verdict that the cell requires.  It is empty without a claim, and if its claim was
        not judged, as those of figures that are not configured.
    """
    judged = claims.set_index("id")
    rows = []
    for row in tomllib.loads(ROWS.read_text(encoding="utf-8"))["row"]:
        behind = [row[name] for name in CELLS if name in row]
        names = list(dict.fromkeys(claim for _, claim, *_ in behind))
        numbers = list(dict.fromkeys(claim for says, claim, *_ in behind if "{" in says))
        rows.append(
            {
                "model": row["model"],
                "what": row["what"],
                "where": _setting(judged["statement"].reindex(numbers).dropna()),
                **{name: _cell(judged, row.get(name)) for name in CELLS},
                "figure": ", ".join(dict.fromkeys(name.partition("-")[0] for name in names)),
                "claims": " ".join(names),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _setting(statements: Iterable[str]) -> str:
    """Return the parameter values that statements name, each once."""
    found: dict[str, list[str]] = {}
    for text in statements:
        for name, values in _SETTING.findall(text):
            known = found.setdefault(name, [])
            known += [value for value in values.split(", ") if value not in known]
    return "; ".join(
        f"{name} {'' if values[0][0] in '≤≥' else '= '}{', '.join(values)}"
        for name, values in found.items()
    )


def _cell(judged: pd.DataFrame, cell: Sequence[str] | None) -> str:
    """Return the text of a cell, with the number that its claim measured or predicted."""
    says, claim, *verdict = cell or ("", None)
    if claim not in judged.index:
        return ""
    if judged.loc[claim, "verdict"] != (verdict or ["confirmed"])[0]:
        return "undecided"
    if "{predicted}" in says:
        predicted = float(f"{judged.loc[claim, 'predicted']:.3g}")
        says = says.replace("{predicted}", written(predicted))
    return says.replace("{}", _measured(judged.loc[claim]))


def _measured(claim: Mapping[str, Any]) -> str:
    """Write a measurement and its interval with enough digits to tell the ends apart."""
    ends = [float(claim[name]) for name in ("low", "high")]
    value = float(claim["measured"])
    with_interval = np.isfinite(ends).all() and ends[0] < ends[1]
    text = written(float(f"{value:.3g}"))
    if with_interval:
        for digits in range(2, 7):
            low, high = (float(f"{end:.{digits}g}") for end in ends)
            text = written(float(f"{value:.{max(digits, 3)}g}"))
            if low < high and low <= value <= high:
                break
        text += f" ({written(low)} … {written(high)})"
    return text


def draw(table: pd.DataFrame) -> Figure:
    """Typeset the table on a page."""
    height = 1.9 * len(table) + 3.6 * table["model"].nunique() + 2.3
    figure = style.new_figure(_LINE * height)
    axes = figure.subplots()
    axes.set(xlim=(0.0, style.WIDTH), ylim=(height, 0.0))
    axes.axis("off")
    line = 0.6
    for model, rows in table.groupby("model", sort=False):
        axes.text(0.0, line, _typeset(MODELS[str(model)]), va="center", fontweight="bold")
        line += 1.1
        _write(axes, line, HEADS, style="italic")
        axes.axhline(line + 1.5, color="black", linewidth=0.8)
        line += 0.3
        for row in rows.to_dict("records"):
            line += 1.9
            _write(axes, line, row)
        line += 2.2
    axes.text(0.0, line + 0.4, _typeset(NOTE), va="center", fontsize=6.5)
    return figure


def _write(axes: Axes, line: float, row: Mapping[str, str], **look: Any) -> None:
    """Write the two lines of a row, the second in gray."""
    for down, places in ((0.0, _FIRST), (0.85, _SECOND)):
        for name, place in places.items():
            grey = down or row[name] == "undecided"
            look |= {"va": "center", "fontsize": 6.5, "color": style.PAPER if grey else "black"}
            axes.text(place, line + down, _typeset(row[name]), **look)


def _typeset(text: str) -> str:
    """Typeset the subscripts of a cell."""
    for plain, set_ in (
        *((f"{x}_{of}", rf"${x}_\mathrm{{{of}}}$") for x in "tL" for of in ("gen", "tr")),
        ("C_∞", r"$C_\infty$"),
        ("d_in", r"$d_\mathrm{in}$"),
        ("η_c", r"$\eta_c$"),
        ("γ_max", r"$\gamma_\mathrm{max}$"),
        ("‖S_∞‖", r"$\|S_\infty\|$"),
        ("S₀", r"$S_0$"),
    ):
        text = text.replace(plain, set_)
    return text
