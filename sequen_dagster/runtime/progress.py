"""Lines of progress, from the code that does the work to a function that shows them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

OnProgress = Callable[[str, str], None]
OnRecords = Callable[[int], None]

_on_progress: ContextVar[OnProgress | None] = ContextVar("sequen_progress", default=None)
_on_records: ContextVar[OnRecords | None] = ContextVar("sequen_records", default=None)


def emit(stage: str, message: str) -> None:
    """Pass on what `stage` has just done, if a function listens."""
    on_progress = _on_progress.get()
    if on_progress is not None:
        on_progress(stage, message)


@contextmanager
def listening(on_progress: OnProgress, *, and_others: bool = False) -> Iterator[None]:
    """Have `on_progress(stage, message)` called for all work done inside the block.

    Args:
        on_progress: what listens.
        and_others: whether what has listened so far goes on to.
    """
    other = _on_progress.get() if and_others else None

    def call_both(stage: str, message: str) -> None:
        on_progress(stage, message)
        if other is not None:
            other(stage, message)

    token = _on_progress.set(call_both)
    try:
        yield
    finally:
        _on_progress.reset(token)


def count_records(records: int) -> None:
    """Pass on that so many more records were validated, if a function counts them."""
    on_records = _on_records.get()
    if on_records is not None:
        on_records(records)


@contextmanager
def counting_records(on_records: OnRecords, *, and_others: bool = False) -> Iterator[None]:
    """Have `on_records(records)` called after each file that is validated inside the block.

    Args:
        on_records: what counts.
        and_others: whether what has counted so far goes on to.
    """
    other = _on_records.get() if and_others else None

    def call_both(records: int) -> None:
        on_records(records)
        if other is not None:
            other(records)

    token = _on_records.set(call_both)
    try:
        yield
    finally:
        _on_records.reset(token)
