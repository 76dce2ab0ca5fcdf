"""Grokking in linear models: the physics, the solvers and the figures of two papers.

Paper A is *Grokking in Linear Estimators* (arXiv:2310.16441), Paper B is *Grokking at
the Edge of Linear Separability* (arXiv:2410.04489).  Docstrings name the paper and the
equation or section they implement.

``theory``, ``solvers``, ``load``, `analyze` and `predict` are for use from Python
(docs/library.md); heavy dependencies are imported only when they are needed.
"""

from importlib import import_module
from typing import Any

_LAZY = {"analyze": "analysis", "predict": "workflow.predict"}
"""Functions that the package itself offers, with their modules; imported on first use."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("linear-grokking")
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
