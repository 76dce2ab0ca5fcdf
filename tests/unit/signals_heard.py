"""Signals that ask to stop, heard as in a terminal; under nohup some would be ignored."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

STOPPING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@contextmanager
def signals_heard() -> Iterator[None]:
    """Let this process and those that it starts hear the signals that ask to stop."""
    before = {each: signal.signal(each, signal.default_int_handler) for each in STOPPING}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
