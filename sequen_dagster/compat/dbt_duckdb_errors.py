"""Compat: errors of the engine reach dbt's output, logs and artifacts without values.

Reason: dbt-duckdb copies the engine's text, which quotes rows, into its own error, and offers no
hook in between. The home's profile names this module as a plugin, so it runs inside dbt.
Upstream: dbt-duckdb 1.11.1, `DuckDBConnectionManager.exception_handler`.
Test: tests/test_compat.py::test_engine_errors_lose_their_text_inside_dbt
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.plugins import BasePlugin

from sequen_dagster.runtime.redaction import without_values

_handler = DuckDBConnectionManager.exception_handler


@contextmanager
def _redacting_handler(
    manager: DuckDBConnectionManager, sql: str, connection_name: str = "master"
) -> Iterator[None]:
    with _handler(manager, sql, connection_name), without_values():
        yield


class Plugin(BasePlugin):
    """Called by dbt-duckdb before it opens the database."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:  # noqa: ARG002  # Any: dbt's own
        """Replace the handler; if it has another name, the import of this module fails, and dbt."""
        # mypy: dbt's handler takes itself for a method, and types no manager.
        DuckDBConnectionManager.exception_handler = _redacting_handler  # type: ignore[assignment, method-assign]
