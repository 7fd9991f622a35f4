"""Lake: what the columns of its Parquet files hold, in words."""

from collections.abc import Mapping
from typing import Final

from sequen_dagster.fields import FIELDS

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
