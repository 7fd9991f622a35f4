"""Lake: the columns of its Parquet files: their types, and what they hold, in words.

For those who only describe the lake; what it is written by is `sequen_dagster.contract`. A test
holds the two together.
"""

from collections.abc import Mapping
from typing import Final

from sequen_dagster.fields import FIELDS, Kind

COLUMN_DESCRIPTIONS: Final[Mapping[str, str]] = {
    **{field.name: field.description for field in FIELDS},
    "given_ingest_timestamp": (
        "The ingest_timestamp that the record gives; null where it gives none."
    ),
    "properties": "Custom fields, as JSON text.",
    "property_shape": "JSON array of [path, kind] pairs of every custom value that is not blank.",
    "record_md5": "md5 of the record's JSON text.",
    "received_at": "Arrival time of the file (UTC).",
    "source": "Source that the file belongs to.",
    "source_file": "Path of the file in the exports location.",
    "source_line": "Line that the record starts on, from 1.",
    "source_item": "Its place among the records that start on that line, from 1.",
    "rules": "Codes of all rules that it breaks.",
    "fields": "The fields that these rules name.",
    "raw": "Its text, up to a limit.",
    "raw_sha256": "Hash of the whole text.",
    "raw_bytes": "Length of the whole text in bytes.",
}

_TYPES: Final[Mapping[Kind, str]] = {
    "id": "VARCHAR",
    "type": "VARCHAR",
    "identity": "VARCHAR",
    "string": "VARCHAR",
    "item_ids": "VARCHAR[]",
    "rank": "INTEGER",
    "dwell": "DECIMAL(38,6)",
    "timestamp": "TIMESTAMP",
}


def _columns_of(*kinds: Kind) -> dict[str, str]:
    return {field.name: _TYPES[field.kind] for field in FIELDS if field.kind in kinds}


ACCEPTED_COLUMNS: Final[Mapping[str, str]] = {
    **_columns_of("id", "type", "identity", "item_ids", "string"),
    **dict.fromkeys(
        ("properties", "property_shape", "record_md5", "source", "source_file"), "VARCHAR"
    ),
    **_columns_of("rank", "dwell"),
    **dict.fromkeys(("source_line", "source_item"), "BIGINT"),
    **_columns_of("timestamp"),
    **dict.fromkeys(("given_ingest_timestamp", "received_at"), "TIMESTAMP"),
}
QUARANTINED_COLUMNS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("source", "source_file", "type"), "VARCHAR"),
    **dict.fromkeys(("rules", "fields"), "VARCHAR[]"),
    **dict.fromkeys(("raw", "raw_sha256"), "VARCHAR"),
    **dict.fromkeys(("source_line", "source_item", "raw_bytes"), "BIGINT"),
    "received_at": "TIMESTAMP",
}
