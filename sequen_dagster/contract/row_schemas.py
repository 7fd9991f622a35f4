"""Contract: the columns of accepted and of quarantined rows, in order, with their types."""

from typing import Final

import polars as pl

from sequen_dagster.contract.convert import DWELL, MICROS
from sequen_dagster.fields import FIELDS, Kind

_Columns = dict[str, pl.DataType | type[pl.DataType]]

_TYPES: Final[dict[Kind, pl.DataType | type[pl.DataType]]] = {
    "id": pl.String,
    "type": pl.String,
    "identity": pl.String,
    "string": pl.String,
    "item_ids": pl.List(pl.String),
    "rank": pl.Int32,
    "dwell": DWELL,
    "timestamp": MICROS,
}
_TEXTS: Final[tuple[Kind, ...]] = ("id", "type", "identity", "item_ids", "string")


def _columns_of(*kinds: Kind) -> _Columns:
    """The reserved fields of these kinds, in the order of the table of fields."""
    return {field.name: _TYPES[field.kind] for field in FIELDS if field.kind in kinds}


_ACCEPTED: Final[_Columns] = {
    **_columns_of(*_TEXTS),
    "properties": pl.String,
    "property_shape": pl.String,
    "record_md5": pl.String,
    "source": pl.String,
    "source_file": pl.String,
    **_columns_of("rank", "dwell"),
    "source_line": pl.Int64,
    "source_item": pl.Int64,
    **_columns_of("timestamp"),
    "given_ingest_timestamp": MICROS,
    "received_at": MICROS,
}
_QUARANTINED: Final[_Columns] = {
    "source": pl.String,
    "source_file": pl.String,
    "type": pl.String,
    "rules": pl.List(pl.String),
    "fields": pl.List(pl.String),
    "raw": pl.String,
    "raw_sha256": pl.String,
    "source_line": pl.Int64,
    "source_item": pl.Int64,
    "raw_bytes": pl.Int64,
    "received_at": MICROS,
}
ACCEPTED_SCHEMA: Final = pl.Schema(_ACCEPTED)
QUARANTINED_SCHEMA: Final = pl.Schema(_QUARANTINED)
