"""Marts: what runs inside the dbt process: it ends when the run that has started it is gone.

The home's profile names this module as a plugin of dbt-duckdb. A dbt that a person calls by hand
is left alone.
"""

from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin

from sequen_dagster.runtime.parent_watchdog import die_with_named_parent


class Plugin(BasePlugin):
    """Called by dbt-duckdb before it opens the database."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:  # noqa: ARG002  # Any: dbt's own
        """Watch the parent; one that died while dbt parsed the project is noticed here."""
        die_with_named_parent()
