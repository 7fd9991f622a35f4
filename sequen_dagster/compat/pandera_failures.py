"""Compat: which rows of a frame break which checks of a Pandera schema.

Reason: Pandera gives the rows in a frame of failure cases, whose form changes between minor
releases, and whose text holds records. pyproject.toml therefore holds the minor release.
Upstream: pandera 0.35.0, `SchemaErrors.failure_cases` with the columns `index` and `check`.
Test: tests/test_compat.py::test_failure_cases_of_pandera_name_rows_and_checks
"""

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaErrors

from sequen_dagster.errors import FaultError


def find_broken_checks(schema: pa.DataFrameSchema, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of a frame that break a check, in order: `row`, and `rules`, the sorted names of these.

    Args:
        schema: every check has a name.
        frame: what is validated; eagerly, since on a LazyFrame Pandera checks types only.

    Raises:
        FaultError: the frame is not one that the schema is for.
    """
    broken = pl.DataFrame(schema={"row": pl.Int64, "rules": pl.List(pl.String)})
    if frame.is_empty():
        return broken
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases: pl.DataFrame = errors.failure_cases
    else:
        return broken
    if cases["index"].null_count():
        # Not raised from the original: its text holds records.
        message = "The converted columns do not fit the schema; this is a fault of sequen-dagster."
        raise FaultError(message) from None
    return (
        cases.select(row=pl.col("index").cast(pl.Int64), rules=pl.col("check"))
        .group_by("row")
        .agg(pl.col("rules").unique().sort())
        .sort("row")
    )
