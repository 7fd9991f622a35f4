"""Marts: what runs inside a dbt that a person calls: the tables that the models read are there.

The profile in the dbt project names this module as a plugin of dbt-duckdb. In a home the loader
creates them, before it calls dbt.
"""

from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection

from sequen_dagster.marts.warehouse import create_raw_tables


class Plugin(BasePlugin):
    """Called by dbt-duckdb when it has opened the database."""

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Create the tables of schema `raw` where they are missing, all of them empty."""
        create_raw_tables(conn)
