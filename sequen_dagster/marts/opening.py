"""Marts: opening the warehouse's file: wait while others have it open, and say what is wrong.

DuckDB lets one process have a file open for writing, and gives up at once where another has it
open, be it for reading only.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb

from sequen_dagster.errors import LockTimeoutError
from sequen_dagster.home.durable import storage_error, storage_reason

_RETRY_SECONDS: Final = 0.2


@contextmanager
def opened(
    path: Path, options: dict[str, Any], *, timeout_seconds: int
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database for writing as soon as it is free; it is closed at the end.

    Args:
        path: the file; made if it is not there.
        options: of the engine; of any type, as DuckDB takes them.
        timeout_seconds: how long to wait for other processes to close it.

    Yields:
        The connection.

    Raises:
        LockTimeoutError: another process had the file open for longer.
        StorageError: the disk is full, or refuses for another reason.
    """
    try:
        connection = _wait_for(path, options, timeout_seconds)
        try:
            yield connection
        finally:
            connection.close()
    except duckdb.Error as error:
        reason = storage_reason(str(error))
        if not reason:
            raise
        size = path.stat().st_size if path.exists() else 0
        # The engine's own message names places of this machine.
        raise storage_error("the warehouse", path, reason, about_bytes=size) from None


def _wait_for(
    path: Path, options: dict[str, Any], timeout_seconds: int
) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            return duckdb.connect(path, config=options)
        except duckdb.IOException as error:
            if "Could not set lock" not in str(error):
                raise
            if time.monotonic() >= deadline:
                raise LockTimeoutError(_describe_holder(path, str(error))) from None
        time.sleep(_RETRY_SECONDS)


def _describe_holder(path: Path, message: str) -> str:
    found = re.search(r"PID (\d+)", message)
    who = f"process {found[1]}" if found else "another process"
    return (
        f"The warehouse {str(path)!r} is open in {who}. Close it there, or raise "
        "`lock_timeout_seconds`; to look at tables, open serving/sequen.duckdb instead."
    )
