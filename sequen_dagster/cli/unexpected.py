"""What the command line says of an unexpected error: a sentence, and where its trace is."""

import os
import tempfile
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sequen_dagster.errors import SequenError, StorageError
from sequen_dagster.home.durable import make_folder
from sequen_dagster.home.layout import Home
from sequen_dagster.home.owner_only import owner_only_files
from sequen_dagster.runtime.redaction import find_place

_HIDDEN: Final = "its text may quote events and is not shown"


def report_unexpected(error: Exception, home: Path | None) -> str:
    """Write the trace of an error into a file, and say where that is.

    Args:
        error: what ended the command.
        home: the home of the command, where it is known; else the folder for temporary files is
            written to, as it is where the home cannot be.

    Returns:
        A sentence without values of events.
    """
    said = _describe(error)
    written = _write_trace(error, home)
    where = f"Its trace is in {str(written)!r}" if written else "Its trace could not be written"
    return (
        f"Unexpected: {type(error).__name__} in {find_place(error.__traceback__)}"
        f"{f' ({said})' if said else ''}. {where}; it holds no values of events. Please report it."
    )


def render_trace(error: BaseException) -> str:
    """The trace of an error and of its causes: lines of code, classes, and texts without values."""
    parts = []
    for one in _causes_first(error):
        frames = traceback.StackSummary.extract(traceback.walk_tb(one.__traceback__))
        parts += ["Traceback (most recent call last):\n", *frames.format()]
        parts.append(
            f"{type(one).__module__}.{type(one).__qualname__}: {_describe(one) or _HIDDEN}\n\n"
        )
    return "".join(parts)


def _causes_first(error: BaseException) -> Iterator[BaseException]:
    """The error last, before it what it was raised from or on the way from."""
    chain: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in chain:
        chain.append(one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return reversed(chain)


def _describe(error: BaseException) -> str:
    """The text of an error that cannot quote an event; empty for all others."""
    if isinstance(error, SequenError):
        return str(error)
    if isinstance(error, OSError) and error.errno:
        name = (
            f": {os.fsdecode(error.filename)!r}" if isinstance(error.filename, str | bytes) else ""
        )
        return f"{os.strerror(error.errno)}{name}"
    if isinstance(error, ImportError):
        return str(error)
    return ""


def _write_trace(error: Exception, home: Path | None) -> Path | None:
    now = datetime.now(UTC)
    name = f"{now:%Y-%m-%dT%H-%M-%S}-{os.getpid()}.txt"
    folders = [Home(home).dbt.traces] if home is not None and home.is_dir() else []
    for folder in (*folders, Path(tempfile.gettempdir())):
        target = folder / (name if folders and folder == folders[0] else f"sequen-dagster-{name}")
        try:
            with owner_only_files():
                make_folder(folder)
                # Not through a link that another user has laid.
                with target.open("x", encoding="utf-8", errors="backslashreplace") as handle:
                    handle.write(render_trace(error))
        except (OSError, StorageError):
            continue
        return target
    return None
