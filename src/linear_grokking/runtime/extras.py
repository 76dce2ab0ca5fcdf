"""Libraries that extras of the package install, and the message where one is missing."""

from collections.abc import Mapping

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "gpu": ("torch",),
    "workflow": (
        *("PIL", "docutils", "jinja2", "markupsafe", "matplotlib", "plotly", "rocrate"),
        "snakemake",
    ),
}
"""Libraries that each extra of pyproject.toml installs, by the names of their imports."""


def missing(error: BaseException) -> str | None:
    """Return the message for an error that comes from a missing optional library, else None."""
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
