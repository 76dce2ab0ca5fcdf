"""Compiled functions that are cached on disk where possible.

Numba trusts whatever it finds in its cache, and fails where it cannot write one.  Here no fault
of the cache stops a job: the functions are compiled again, after one warning.
"""

import hashlib
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
from numba.core import sigutils
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    InTreeCacheLocator,
    UserProvidedCacheLocator,
    UserWideCacheLocator,
)

logger = logging.getLogger(__name__)


def compile_kept(function: Callable, **options: Any) -> Callable:
    """Return `numba.njit` of a function, compiled at its first call or found on disk."""
    compiled: Any = numba.njit(**options)(function)
    if compiled is not function:  # or else NUMBA_DISABLE_JIT is set
        try:
            compiled._cache = _Cache(function)  # as enable_caching, with another class
        except Exception as error:  # no folder is usable
            _warn(error)
    return compiled


class _UserWide(UserWideCacheLocator):
    """The user's cache folder; refused without a home folder, as its name then begins with ~."""

    def ensure_cache_path(self) -> None:
        if not os.path.isabs(self.get_cache_path()):
            raise FileNotFoundError("no home folder")
        super().ensure_cache_path()


class _Implementation(CompileResultCacheImpl):
    _locator_classes = (UserProvidedCacheLocator, InTreeCacheLocator, _UserWide)


class _SealedFiles(IndexDataCacheFile):
    """Cache files that end in a digest of their contents, which is checked on loading.

    Damaged machine code may crash, or run and give wrong numbers.
    """

    def _dump(self, obj: Any) -> bytes:
        content = super()._dump(obj)
        return content + hashlib.sha256(content).digest()

    def _load_data(self, name: str) -> Any:
        sealed = Path(self._data_path(name)).read_bytes()
        size = len(sealed) - hashlib.sha256().digest_size
        if hashlib.sha256(sealed[: max(size, 0)]).digest() != sealed[max(size, 0) :]:
            raise ValueError(f"{name} is damaged")
        return super()._load_data(name)


class _Cache(FunctionCache):
    """A cache whose failures, of whatever kind, do not stop the job."""

    _impl_class = _Implementation

    def __init__(self, function: Callable):
        super().__init__(function)
        self._cache_file = _SealedFiles(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=self._impl.locator.get_source_stamp(),
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            found = super().load_overload(sig, target_context)
            # Two processes that fill a cache at once may each take the other's file.
            if found and found.signature.args != sigutils.normalize_signature(sig)[0]:
                raise ValueError("the code is of another signature")
        except OSError as error:
            _warn(error)
        except Exception as error:  # damaged files fail in a dozen ways
            _warn(error)
            self._renew()
        else:
            return found
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except Exception as error:
            _warn(error)

    def _renew(self) -> None:
        """Clear the cache on disk so that it is written anew; else the next job would warn too."""
        with suppress(OSError):
            self.flush()


_warned = False


def _warn(error: Exception) -> None:
    """Warn of the first error only, whichever function it concerns."""
    global _warned
    if not _warned:
        logger.warning("Numba's cache cannot be used (%r): recompiling, which takes seconds", error)
    _warned = True
