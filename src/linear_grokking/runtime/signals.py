"""Signals that ask a process to stop, all answered in the same way."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
"""Sent by Ctrl-C, by schedulers and ``kill``, and by a closing terminal, where they exist."""


@contextmanager
def answered(answer: Callable[..., Any]) -> Iterator[None]:
    """Call ``answer(signal number, frame)`` when asked to stop inside the context.

    Ignored signals stay ignored, such as SIGHUP under nohup.  Must be entered in the main thread.
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
