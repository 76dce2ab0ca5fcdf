"""The base of this package's errors."""


class LinearGrokkingError(Exception):
    """An error whose message tells the user enough; no traceback is needed."""
