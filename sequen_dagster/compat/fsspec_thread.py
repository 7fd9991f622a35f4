"""Compat: fsspec's thread ends before Python does.

Reason: left running, it holds on to objects of the engine, whose binding prints a page about that
when the process ends. fsspec has no function that ends it.
Upstream: fsspec 2026.9.0, `fsspec.asyn.loop` and `fsspec.asyn.iothread`.
Test: tests/test_compat.py::test_thread_of_fsspec_ends_on_demand
"""

import atexit
from functools import cache
from typing import Final

import fsspec.asyn

_WAIT_SECONDS: Final = 5


@cache
def end_io_thread_at_exit() -> None:
    """Have the thread ended at the exit of this process; further calls change nothing."""
    atexit.register(end_io_thread)


def end_io_thread() -> None:
    """End the thread if there is one, and wait for it."""
    loop, thread = fsspec.asyn.loop[0], fsspec.asyn.iothread[0]
    if loop is not None and thread is not None and loop.is_running():
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=_WAIT_SECONDS)
