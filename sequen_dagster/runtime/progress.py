"""Lines of progress, from the code that does the work to a function that shows them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import ParamSpec

OnProgress = Callable[[str, str], None]
OnRecords = Callable[[int], None]
_Given = ParamSpec("_Given")

_on_progress: ContextVar[OnProgress | None] = ContextVar("sequen_progress", default=None)
_on_records: ContextVar[OnRecords | None] = ContextVar("sequen_records", default=None)


def emit(stage: str, message: str) -> None:
    """Pass on what `stage` has just done, if a function listens."""
    on_progress = _on_progress.get()
    if on_progress is not None:
        on_progress(stage, message)


def listening(on_progress: OnProgress, *, and_others: bool = False) -> AbstractContextManager[None]:
    """Have `on_progress(stage, message)` called for all work done inside the block.

    Args:
        on_progress: what listens.
        and_others: whether what has listened so far goes on to.
    """
    return _calling(_on_progress, on_progress, and_others=and_others)


def count_records(records: int) -> None:
    """Pass on that so many more records were validated, if a function counts them."""
    on_records = _on_records.get()
    if on_records is not None:
        on_records(records)


def counting_records(
    on_records: OnRecords, *, and_others: bool = False
) -> AbstractContextManager[None]:
    """Have `on_records(records)` called after each file that is validated inside the block.

    Args:
        on_records: what counts.
        and_others: whether what has counted so far goes on to.
    """
    return _calling(_on_records, on_records, and_others=and_others)


@contextmanager
def _calling(
    variable: ContextVar[Callable[_Given, None] | None],
    function: Callable[_Given, None],
    *,
    and_others: bool,
) -> Iterator[None]:
    """Have a function called in place of what a variable holds, or before it."""
    other = variable.get() if and_others else None

    def call_both(*args: _Given.args, **kwargs: _Given.kwargs) -> None:
        function(*args, **kwargs)
        if other is not None:
            other(*args, **kwargs)

    token = variable.set(call_both)
    try:
        yield
    finally:
        variable.reset(token)
