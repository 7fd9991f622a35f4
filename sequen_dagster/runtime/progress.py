"""Lines of progress, from the code that does the work to a function that shows them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

OnProgress = Callable[[str, str], None]

_on_progress: ContextVar[OnProgress | None] = ContextVar("sequen_progress", default=None)


def emit(stage: str, message: str) -> None:
    """Pass on what `stage` has just done, if a function listens."""
    on_progress = _on_progress.get()
    if on_progress is not None:
        on_progress(stage, message)


@contextmanager
def listening(on_progress: OnProgress) -> Iterator[None]:
    """Have `on_progress(stage, message)` called for all work done inside the block."""
    token = _on_progress.set(on_progress)
    try:
        yield
    finally:
        _on_progress.reset(token)
