"""Compat: dbt ends when the run that has started it is gone.

Reason: dbt has no setting for it, and a dbt that goes on writes to a database that the next run
believes to be its own. The home's profile names this module as a plugin of dbt-duckdb, so it runs
inside dbt. A dbt that a person calls by hand is left alone.
Upstream: dbt-duckdb 1.11.1, `BasePlugin.initialize` is called before the database is opened.
Test: tests/test_killed_runs.py::test_dbt_of_a_killed_verify_ends_and_the_next_verify_works
"""

from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin

from sequen_dagster.runtime.parent_watchdog import die_with_named_parent


class Plugin(BasePlugin):
    """Called by dbt-duckdb before it opens the database."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:  # noqa: ARG002  # Any: dbt's own
        """Watch the parent; one that died while dbt parsed the project is noticed here."""
        die_with_named_parent()
