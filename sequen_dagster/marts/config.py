"""Marts: what a run may ask of the step that builds the tables."""

import dagster as dg


class MartsConfig(dg.Config):
    """What a run may ask of the marts.

    Attributes:
        full_refresh: whether to build all tables from nothing.
        test_whole_tables: whether dbt's tests look at whole tables, not at the changed rows alone.
    """

    full_refresh: bool = False
    test_whole_tables: bool = False
