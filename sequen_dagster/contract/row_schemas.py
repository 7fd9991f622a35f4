"""Contract: the columns of accepted and of quarantined rows, in order, with their types."""

from typing import Final

import polars as pl

from sequen_dagster.contract.convert import DWELL, MICROS

_Columns = dict[str, pl.DataType | type[pl.DataType]]

_ACCEPTED: Final[_Columns] = {
    "id": pl.String,
    "type": pl.String,
    "uid": pl.String,
    "sid": pl.String,
    "cid": pl.String,
    "rec_id": pl.String,
    "page_view_id": pl.String,
    "module_view_id": pl.String,
    "impression_id": pl.String,
    "item_id": pl.String,
    "item_ids": pl.List(pl.String),
    "item_id_relation": pl.String,
    "page_type": pl.String,
    "click_type": pl.String,
    "conversion_type": pl.String,
    "properties": pl.String,
    "property_shape": pl.String,
    "record_md5": pl.String,
    "source": pl.String,
    "source_file": pl.String,
    "rank": pl.Int32,
    "dwell_ms": DWELL,
    "source_line": pl.Int64,
    "source_item": pl.Int64,
    "original_timestamp": MICROS,
    "server_timestamp": MICROS,
    "ingest_timestamp": MICROS,
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
