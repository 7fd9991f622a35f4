"""Marts: what a run may ask of the step that builds the tables."""

import dagster as dg
import pydantic


class MartsConfig(dg.Config):
    """What a run may ask of the marts. As it stands, it recomputes what new files change."""

    full_refresh: bool = pydantic.Field(
        default=False,
        description=(
            "Build all tables from nothing. They come out the same and it takes the longest; a "
            "change of rules or settings does it by itself."
        ),
    )
    test_whole_tables: bool = pydantic.Field(
        default=False,
        description=(
            "Have dbt's tests look at whole tables, not only at the rows that the build has "
            "changed. The daily run does."
        ),
    )
