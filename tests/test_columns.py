"""The columns that are described are those that are written."""

from typing import Final

import polars as pl
import pyarrow as pa
import pytest

from sequen_dagster.contract import ACCEPTED_SCHEMA, QUARANTINED_SCHEMA
from sequen_dagster.lake.columns import ACCEPTED_COLUMNS, COLUMN_DESCRIPTIONS, QUARANTINED_COLUMNS

# How DuckDB names what the Parquet files hold.
NAMES: Final = {
    "large_string": "VARCHAR",
    "string_view": "VARCHAR",
    "int64": "BIGINT",
    "int32": "INTEGER",
    "timestamp[us]": "TIMESTAMP",
}


def name_of(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    if pa.types.is_large_list(kind):
        return f"{name_of(kind.value_type)}[]"
    return NAMES[str(kind)]


@pytest.mark.parametrize(
    ("described", "written"),
    [(ACCEPTED_COLUMNS, ACCEPTED_SCHEMA), (QUARANTINED_COLUMNS, QUARANTINED_SCHEMA)],
    ids=["accepted", "quarantined"],
)
def test_described_columns_are_those_that_are_written(
    described: dict[str, str], written: pl.Schema
) -> None:
    fields = written.to_frame().to_arrow().schema

    assert list(described.items()) == [(field.name, name_of(field.type)) for field in fields]
    assert described.keys() <= COLUMN_DESCRIPTIONS.keys()
