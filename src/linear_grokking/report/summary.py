"""The opening of the page: what a reader in a hurry has to know, in plain words.

What it says stands in ``summary.toml``; whether a point stands comes from the claims.
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
    """Return what the opening shows.

    Parameters
    ----------
    claims
        As they were judged.
    figures
        As the page shows them.

    Returns
    -------
    dict
        ``picture`` and its words ``picture_says``, where the figure is configured; ``holds`` and
        ``fails``, the claims in plain words; how many figures are ``rebuilt`` and how many
        ``ours``; and of the claims that do not agree, how many there are of each ``kind``.
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
    """Return the points whose claims have a verdict."""
    judged = {claim["id"]: claim["verdict"] for claim in claims}
    return [point for point in points if judged.get(point["claim"]) == verdict]
