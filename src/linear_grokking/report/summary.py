"""The opening of the page: what a reader in a hurry has to know, in plain words.

The text is in ``summary.toml``; the claims decide which of its points are shown.
"""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linear_grokking.claims.verdict import CONFIRMED, CONTRADICTED, Disagreement

POINTS = Path(__file__).with_suffix(".toml")

Claims = Sequence[Mapping[str, Any]]


def summary(claims: Claims, figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the contents of the opening.

    Parameters
    ----------
    claims
        The judged claims.
    figures
        The figures as the page shows them.

    Returns
    -------
    dict
        ``picture``, None if its figure is not configured, and its words ``picture_says``;
        ``holds`` and ``fails``, the confirmed and the contradicted claims in plain words; the
        numbers of figures that are ``rebuilt`` and that are ``ours``; and ``kinds``, how many
        claims there are of each kind of disagreement.
    """
    written = tomllib.loads(POINTS.read_text(encoding="utf-8"))
    pictures = {figure["id"]: figure for figure in figures}
    ours = sum(figure["is_ours"] for figure in figures)
    kinds = Counter(claim["disagreement"] for claim in claims)
    return {
        "picture": pictures.get(written["picture"]["figure"]),
        "picture_says": written["picture"]["says"],
        "holds": _points(written["holds"], claims, CONFIRMED),
        "fails": _points(written["fails"], claims, CONTRADICTED),
        "rebuilt": len(figures) - ours,
        "ours": ours,
        "kinds": {str(kind): kinds[kind] for kind in Disagreement},
    }


def _points(points: Claims, claims: Claims, verdict: str) -> list[Mapping[str, Any]]:
    """Return the points whose claims have the given verdict."""
    judged = {claim["id"]: claim["verdict"] for claim in claims}
    return [point for point in points if judged.get(point["claim"]) == verdict]
