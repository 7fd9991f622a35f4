"""Compat: dbt opens the warehouse of a home whose path holds `#`, or the marks of a template.

Reason: dbt renders the path of a profile as a template, and dbt-duckdb takes it for an address when
it derives the name of the database from it, so `/srv/a#b/warehouse.duckdb` has none. The profile
has such characters percent-encoded; here, inside dbt, the path gets them back before it is opened.
Upstream: dbt-duckdb 1.11.1, `DuckDBCredentials.path_derived_database_name`.
Test: tests/test_places.py::test_dbt_opens_the_warehouse_of_every_home
"""

from typing import Any
from urllib.parse import unquote

from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin


class Plugin(BasePlugin):
    """Called by dbt-duckdb before it opens the database."""

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:  # noqa: ARG002  # Any: dbt's own
        """Give the path its characters back."""
        creds.path = unquote(creds.path)
