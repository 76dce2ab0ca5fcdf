"""The base of this package's errors."""


class LinearGrokkingError(Exception):
    """What the package has to say to who runs it; the message is enough, without a traceback."""
