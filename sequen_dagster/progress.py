"""A line of progress from wherever work is done to whoever watches; nobody watches by default."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Watcher = Callable[[str, str], None]

_watcher: ContextVar[Watcher | None] = ContextVar("sequen_progress", default=None)


def report(stage: str, message: str) -> None:
    """Tell the watcher, if there is one, what `stage` has just done."""
    watcher = _watcher.get()
    if watcher is not None:
        watcher(stage, message)


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Have `watcher(stage, message)` called for all work done inside the block."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)
