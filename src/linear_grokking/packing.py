"""Long texts as arguments of a command: a shell takes no argument above 128 kB."""

import base64
import zlib


def pack(text: str) -> str:
    """Return a text compressed, in letters that need no quotes."""
    return base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode()


def unpack(packed: str) -> str:
    """Return the text that `pack` was given.

    Raises
    ------
    ValueError
        If ``packed`` is not what `pack` returns.
    """
    try:
        return zlib.decompress(base64.urlsafe_b64decode(packed)).decode()
    except (ValueError, zlib.error) as error:
        raise ValueError(f"not a packed text: {error}") from None
