"""Signals that ask a process to stop: all of them get one answer."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
"""Of Ctrl-C, of a scheduler and ``kill``, and of a terminal that closes, where there are such."""


@contextmanager
def answered(answer: Callable[..., Any]) -> Iterator[None]:
    """Call ``answer`` (signal number, frame) inside the context when asked to stop.

    What is ignored stays ignored, as SIGHUP under nohup.  To be entered in the main thread.
    """
    known = (getattr(signal, name) for name in NAMES if hasattr(signal, name))
    previous = {each: signal.getsignal(each) for each in known}
    heard = [each for each in previous if previous[each] not in (signal.SIG_IGN, None)]
    try:
        for each in heard:
            signal.signal(each, answer)
        yield
    finally:
        for each in heard:
            signal.signal(each, previous[each])
