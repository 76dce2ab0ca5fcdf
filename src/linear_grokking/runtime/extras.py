"""Libraries that come with an extra of the package, and what is said where one is missing."""

from collections.abc import Mapping

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "gpu": ("torch",),
    "workflow": (
        *("PIL", "docutils", "jinja2", "markupsafe", "matplotlib", "plotly", "rocrate"),
        "snakemake",
    ),
}
"""What each extra of pyproject.toml brings, as it is imported."""


def missing(error: BaseException) -> str | None:
    """Return what to say where an error is that such a library is not installed, else None."""
    if not isinstance(error, ModuleNotFoundError):
        return None
    library = (error.name or "").partition(".")[0]
    if not any(library in libraries for libraries in EXTRAS.values()):
        return None
    return f"this needs {how_to_get(library)}"


def how_to_get(library: str) -> str:
    """Return a missing library's name, and how to install it."""
    extra = next(extra for extra, libraries in EXTRAS.items() if library in libraries)
    return f"{library}, which is not installed: pip install 'linear-grokking[{extra}]'"
