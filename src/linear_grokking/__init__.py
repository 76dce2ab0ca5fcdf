"""Grokking in linear models: the physics, the solvers and the figures of two papers.

Paper A is *Grokking in Linear Estimators* (arXiv:2310.16441), Paper B is *Grokking at
the Edge of Linear Separability* (arXiv:2410.04489).  Docstrings name the paper and the
equation or section they implement.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linear_grokking.analysis import analyze as analyze


def __getattr__(name: str) -> Any:
    """Import `analyze` when it is asked for, so that nothing else pays for its libraries."""
    if name == "analyze":
        from linear_grokking.analysis import analyze

        return analyze
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
