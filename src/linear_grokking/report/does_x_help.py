"""Table X1, "Does X help?": for practitioners, each cell from a claim.

What a row says stands in ``does_x_help.toml``; the numbers, and whether it stands at all, come
from the claims as they were judged.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from linear_grokking.figures import style
from linear_grokking.report.captions import written

TITLE = "Does X help? What practitioners try, in both models (ours)"
ROWS = Path(__file__).with_suffix(".toml")
CELLS = ("training", "generalization", "delay", "answer")
COLUMNS = ("model", "what", "where", *CELLS, "figure", "claims")
MODELS = {
    "linear": "Linear regression, λ = d_in/N",
    "logistic": "Logistic classification",
}
NOTE = (
    "÷, ×: against gradient descent, or a smaller value, on the same sets; ηt: against gradient "
    "flow;\nshare: of sets that reach the accuracy; in brackets 95 % intervals."
)
_SETTING = re.compile(r"\b(λ|s²|α|p|B) = ([\d.e+-]*\d)")
"""What of a claim's statement says where it was measured."""
HEADS = {
    "what": "what",
    "where": "where",
    "training": "time of training",
    "generalization": "of generalization",
    "delay": "delay",
    "answer": "does it help?",
    "figure": "figure",
}
"""The columns that are shown, and what stands above them."""
_PLACES = (0.0, 1.34, 2.1, 3.05, 4.05, 5.36, 6.72)
"""Where the columns begin, in inches."""


def table(claims: pd.DataFrame) -> pd.DataFrame:
    """Return the table (columns `COLUMNS`), its cells as text.

    Parameters
    ----------
    claims
        As `claims.judged` returns them.  A cell whose claim is not among them, or has another
        verdict than the one it counts on, says ``undecided``; one without a claim is empty.
    """
    judged = claims.set_index("id")
    rows = []
    for row in tomllib.loads(ROWS.read_text(encoding="utf-8"))["row"]:
        behind = [row[name] for name in CELLS if name in row]
        names = list(dict.fromkeys(claim for _, claim, *_ in behind))
        rows.append(
            {
                "model": row["model"],
                "what": row["what"],
                "where": _setting(judged["statement"].reindex(names).dropna()),
                **{name: _cell(judged, row.get(name)) for name in CELLS},
                "figure": ", ".join(dict.fromkeys(name.partition("-")[0] for name in names)),
                "claims": " ".join(names),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _setting(statements: Iterable[str]) -> str:
    """Return the parameters that statements name, each once."""
    found: dict[str, list[str]] = {}
    for text in statements:
        for name, value in _SETTING.findall(text):
            if value not in found.setdefault(name, []):
                found[name].append(value)
    return "; ".join(f"{name} = {', '.join(values)}" for name, values in found.items())


def _cell(judged: pd.DataFrame, cell: Sequence[str] | None) -> str:
    """Return what a cell says, with what its claim measured."""
    if cell is None:
        return ""
    says, claim, *verdict = cell
    if claim not in judged.index or judged.loc[claim, "verdict"] != (verdict or ["confirmed"])[0]:
        return "undecided"
    return says.replace("{}", _measured(judged.loc[claim]))


def _measured(claim: Mapping[str, Any]) -> str:
    """Write a measurement with its interval, in digits that tell the ends apart."""
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
    height = len(table) + 2.2 * table["model"].nunique() + 2.2
    figure = style.new_figure(0.19 * height)
    axes = figure.subplots()
    axes.set(xlim=(0.0, style.WIDTH), ylim=(height, 0.0))
    axes.axis("off")
    line = 0.6
    for model, rows in table.groupby("model", sort=False):
        axes.text(0.0, line, _typeset(MODELS[str(model)]), va="center", fontweight="bold")
        line += 1.0
        for place, name in zip(_PLACES, HEADS, strict=True):
            axes.text(place, line, HEADS[name], va="center", fontsize=7, style="italic")
        axes.axhline(line + 0.55, color="black", linewidth=0.8)
        for row in rows.to_dict("records"):
            line += 1.0
            for place, name in zip(_PLACES, HEADS, strict=True):
                colour = style.PAPER if row[name] == "undecided" or name == "where" else "black"
                text = _typeset(row[name])
                size = 5.5 if name == "where" else 6.1
                axes.text(place, line, text, va="center", fontsize=size, color=colour)
        line += 1.2
    axes.text(0.0, line, _typeset(NOTE), va="center", fontsize=6.5)
    return figure


def _typeset(text: str) -> str:
    """Set the subscripts of a cell."""
    for plain, set_ in (
        ("t_gen", r"$t_\mathrm{gen}$"),
        ("t_tr", r"$t_\mathrm{tr}$"),
        ("d_in", r"$d_\mathrm{in}$"),
        ("η_c", r"$\eta_c$"),
        ("γ_max", r"$\gamma_\mathrm{max}$"),
        ("‖S_∞‖", r"$\|S_\infty\|$"),
        ("S₀", r"$S_0$"),
    ):
        text = text.replace(plain, set_)
    return text
