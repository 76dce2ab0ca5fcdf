"""How figures are found, and which code makes them.

A module of this package that is named after figures (``a1.py``, ``b11_b12.py``) defines
``Options(FigureOptions)``, ``tabulate(options, data)``, and ``draw(table)``, which returns a
Matplotlib figure.  A new module is a new figure.  ``TITLE`` is the figure's title; a module of
several figures has ``TITLES`` by ID.  It may also define ``check(data)``, which raises ValueError
where the configured runs cannot be drawn together; no results exist when it is called.
"""

import importlib
import pkgutil
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import linear_grokking.figures
from linear_grokking.results.fingerprint import fingerprint, with_files

FIGURE_ID = re.compile(r"(A|B|BT|C)\d+")


@cache
def _modules() -> Mapping[str, str]:
    """Return the name of each figure's module, by ID in order: A1 …, B1 …, BT1, C1 …."""
    names = [module.name for module in pkgutil.iter_modules(linear_grokking.figures.__path__)]
    found = {
        figure_id: name
        for name in names
        for figure_id in name.upper().split("_")
        if FIGURE_ID.fullmatch(figure_id)
    }
    ordered = sorted(found, key=lambda each: (each.rstrip("0123456789"), int(each.lstrip("ABCT"))))
    return {figure_id: found[figure_id] for figure_id in ordered}


def figure_ids() -> tuple[str, ...]:
    """Return the IDs of all figures, in the papers' order."""
    return tuple(_modules())


def module(figure_id: str) -> Any:
    """Import the module of a figure."""
    return importlib.import_module(f"linear_grokking.figures.{_modules()[figure_id]}")


def title(figure_id: str) -> str:
    """Return a figure's title."""
    found = module(figure_id)
    return found.TITLES[figure_id] if hasattr(found, "TITLES") else found.TITLE


def tabulate_code(figure_id: str) -> str:
    """Return the fingerprint of what makes a figure's table."""
    place = f"figures.{_modules()[figure_id]}"
    return fingerprint([f"{place}:tabulate", f"{place}:Options", "figures.tables:FigureData"])


def draw_code(figure_id: str) -> str:
    """Return the fingerprint of what draws a figure: its code and the style sheet."""
    draw = f"figures.{_modules()[figure_id]}:draw"
    sheet = Path(__file__).with_name("linear_grokking.mplstyle")
    return with_files([draw, "figures.style:sheet", "figures.style:save"], [sheet])
