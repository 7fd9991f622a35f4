"""Compat: dbt as it has to be in a process that goes on after it.

Reason: `dbtRunner` keeps the database open for as long as the process lives, so no other process
could write; it knows no way to end a call from outside; and dbt-duckdb copies the engine's text,
which quotes rows, into its own errors, from where it would get into logs and artifacts.
Upstream: dbt-duckdb 1.11.1, `DuckDBConnectionManager._ENV`, `.exception_handler` and `.cancel`.
Test: tests/test_compat.py::test_dbt_gives_the_database_back_and_hides_what_the_engine_quotes
"""

import gc
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from dbt.adapters.contracts.connection import ConnectionState
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.factory import FACTORY
from dbt_common.exceptions import DbtRuntimeError

from sequen_dagster.runtime.redaction import without_values

_handler = DuckDBConnectionManager.exception_handler
_stopped = threading.Event()
_OBJECTS_BETWEEN_COLLECTIONS: Final = 100_000


@contextmanager
def dbt_in_process(variables: Mapping[str, str]) -> Iterator[None]:
    """Around a call of dbt, of which there is one at a time in a process.

    Args:
        variables: what the environment holds meanwhile.
    """
    _stopped.clear()
    # dbt makes objects by the million that stay until its end: to look through them for garbage
    # takes a tenth of a small build.
    thresholds = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *thresholds[1:])
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    # dbt logs the command line of the process as its own.
    command, sys.argv = sys.argv, ["dbt"]
    # mypy: dbt's handler takes itself for a method, and types no manager.
    DuckDBConnectionManager.exception_handler = _handle_statement  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        sys.argv = command
        gc.set_threshold(*thresholds)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        DuckDBConnectionManager.exception_handler = _handler  # type: ignore[method-assign]
        _close_database()


def stop_dbt() -> None:
    """Have the call in another thread fail: what runs is interrupted, and nothing follows."""
    _stopped.set()
    for adapter in FACTORY.adapters.values():
        for connection in list(adapter.connections.thread_connections.values()):
            if connection.state == ConnectionState.OPEN:
                adapter.connections.cancel(connection)


def _close_database() -> None:
    manager: Any = DuckDBConnectionManager  # Any: what it keeps is not typed
    if manager._ENV is not None:  # noqa: SLF001
        manager._ENV.close()  # noqa: SLF001
    manager.close_all_connections()


@contextmanager
def _handle_statement(
    manager: DuckDBConnectionManager, sql: str, connection_name: str = "master"
) -> Iterator[None]:
    """Around each statement."""
    if _stopped.is_set():
        message = "dbt was stopped"
        raise DbtRuntimeError(message)
    with _handler(manager, sql, connection_name), without_values():
        yield
