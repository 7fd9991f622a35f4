"""Marts: what runs inside the dbt process: errors of the engine reach dbt's logs without values.

The home's profile names this module as a plugin of dbt-duckdb.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.plugins import BasePlugin

from sequen_dagster.runtime.redaction import without_values

_handler = DuckDBConnectionManager.exception_handler


@contextmanager
def _discreet_handler(
    manager: DuckDBConnectionManager, sql: str, connection_name: str = "master"
) -> Iterator[None]:
    with _handler(manager, sql, connection_name), without_values():
        yield


class Plugin(BasePlugin):
    """Called by dbt-duckdb before it opens the database."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:  # noqa: ARG002  # Any: dbt's own
        """Keep the texts of errors in: dbt prints them, logs them and writes them to artifacts.

        If dbt-duckdb renames its handler, this module fails at its import, and with it the run.
        """
        # mypy: dbt's handler takes itself for a method, and types no manager.
        DuckDBConnectionManager.exception_handler = _discreet_handler  # type: ignore[assignment, method-assign]
