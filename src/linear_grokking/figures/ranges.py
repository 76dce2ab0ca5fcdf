"""Ranges of axes that are computed from results, which may hold no finite number."""

import math


def finite_ends(low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """Return the ends of an axis, for `Axes.set_xlim` and `set_ylim`.

    An end that is not finite, as where no time was reached, becomes None: it stays as it is.
    """

    def finite(end: float | None) -> float | None:
        return end if end is not None and math.isfinite(end) else None

    return finite(low), finite(high)
