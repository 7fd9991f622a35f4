"""Contract: hints for a file whose records fail together: its likely format, and the remedy.

In: the quarantined records of one file, and how many records it has. Out: the name of a hint of a
closed table, or none. A hint is a guess by characteristic keys; it never changes what is accepted.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from sequen_dagster.contract.validate import Split
from sequen_dagster.fields import RESERVED_NAMES

# Records that are examined, the first of the file: a format shows in each of them.
_MAX_SAMPLES: Final = 200
# "Together": at least this share of the records of a file, and of the samples, in percent.
_MIN_SHARE_PERCENT: Final = 50
_MAX_KEY_LENGTH: Final = 64
# A tracker's enriched line has 131 columns; other tables of events are far narrower.
_MIN_ENRICHED_TABS: Final = 100
_DELIMITERS: Final = "\t,;|"

Record = dict[str, Any]  # Any: whatever a record that failed holds


@dataclass(frozen=True)
class Hint:
    """The likely format of a file, and the remedy.

    Attributes:
        code: its name in commits and tables.
        looks_like: completes "These records look like ...".
        remedy: one sentence that says what to do.
    """

    code: str
    looks_like: str
    remedy: str


_MAP_FIRST: Final = (
    "Rename its fields to those of the event document before the files are dropped; "
    "docs/hints.md lists which goes where."
)

HINTS: Final = (
    Hint("ga4_export", "GA4's BigQuery export", _MAP_FIRST),
    Hint("segment_export", "a Segment or RudderStack export", _MAP_FIRST),
    Hint("amplitude_export", "an Amplitude export", _MAP_FIRST),
    Hint("posthog_export", "a PostHog export", _MAP_FIRST),
    Hint("mixpanel_export", "a Mixpanel export", _MAP_FIRST),
    Hint("snowplow_enriched", "Snowplow's enriched events", _MAP_FIRST),
    Hint("algolia_insights", "Algolia Insights events", _MAP_FIRST),
    Hint("mparticle_batch", "mParticle batches", _MAP_FIRST),
    Hint(
        "airbyte_raw",
        "Airbyte's raw tables, with the event under `_airbyte_data`",
        "Export the normalized table, or write the value of `_airbyte_data` alone.",
    ),
    Hint(
        "dynamodb_export",
        "a DynamoDB export, with a type beside every value",
        "Unmarshal each `Item` to plain JSON before the files are dropped.",
    ),
    Hint(
        "elasticsearch_dump",
        "an Elasticsearch dump, with the event under `_source`",
        "Dump the sources only (elasticdump: --sourceOnly=true).",
    ),
    Hint(
        "mongodb_export",
        "a MongoDB export in extended JSON",
        "Export times and ids as plain text, for instance by `$dateToString` in the query.",
    ),
    Hint(
        "change_stream",
        "a change stream (Debezium or Kafka Connect), with the row under `after`",
        "Unwrap it in the connector (ExtractNewRecordState), and write the row alone.",
    ),
    Hint(
        "cloud_event",
        "CloudEvents, with the event under `data`",
        "Write the value of `data` alone.",
    ),
    Hint(
        "manifest",
        "a manifest: it names files and holds no event",
        "Exclude it: add a pattern to the source's `exclude`.",
    ),
    Hint(
        "json_schema",
        "a schema: it describes events and holds none",
        "Exclude it: add a pattern to the source's `exclude`.",
    ),
    Hint(
        "web_page",
        "a web page or XML, as a server sends with an error",
        "Download the export again, and look at the answer's status before it is kept.",
    ),
    Hint(
        "backslash_quotes",
        "delimited text whose quotes are escaped by a backslash",
        "Export it with doubled quotes (RFC 4180), or as JSON Lines.",
    ),
    Hint(
        "delimited_text",
        "delimited text without its name",
        "Name the file .csv, or .tsv where it is split by tabs.",
    ),
    Hint(
        "wrapped_event",
        "events that one key holds",
        "Write the value of that key alone; if it holds an array, name it in `events_keys`.",
    ),
    Hint(
        "float_ids",
        "a table whose ids went through floating-point numbers",
        "Cast the id columns to integer or text in the query that exports them.",
    ),
)
_HINTS: Final = {hint.code: hint for hint in HINTS}


def hint_named(code: str) -> Hint:
    """The hint of the closed table with this code."""
    return _HINTS[code]


def describe_hint(text: str) -> str:
    """Describe the hint of a file in sentences.

    Args:
        text: as `HintFinder.hint` gave it: a code, or a code, a colon and the key it is about.

    Example:
        >>> describe_hint("manifest")
        "It looks like a manifest: it names files and holds no event. Exclude it: add a pattern to \
the source's `exclude`."
    """
    code, _, key = text.partition(":")
    hint = hint_named(code)
    about = f" ({key!r})" if key else ""
    return f"It looks like {hint.looks_like}{about}. {hint.remedy}"


class HintFinder:
    """Examines the quarantined records of one file as they pass.

    Example:
        >>> finder = HintFinder()
        >>> finder.hint(records_read=0)
        ''
    """

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._quarantined = 0

    def add(self, split: Split) -> None:
        """Remember the first records that failed."""
        self._quarantined += len(split.quarantined)
        # Records whose text was dropped have nothing to examine.
        rows = split.quarantined.filter(pl.col("raw").is_not_null())
        self._texts.extend(rows["raw"].head(_MAX_SAMPLES - len(self._texts)))

    def hint(self, *, records_read: int) -> str:
        """Choose the hint of the file; empty where its records do not fail together.

        Args:
            records_read: records of the whole file, accepted ones included.

        Returns:
            The code of a hint; for `wrapped_event` with a colon and the key.
        """
        if not self._quarantined or self._quarantined * 100 < records_read * _MIN_SHARE_PERCENT:
            return ""
        return _most_common(self._texts)


def _most_common(texts: list[str]) -> str:
    found = Counter(hint for text in texts if (hint := _hint_of(text)))
    if delimited := _hint_of_lines(texts):
        found[delimited] += len(texts)
    if not found:
        return ""
    hint, count = found.most_common(1)[0]
    return hint if count * 100 >= len(texts) * _MIN_SHARE_PERCENT else ""


def _hint_of(text: str) -> str:
    """Choose the hint of one record."""
    if text.lstrip()[:1] == "<":
        return "web_page"
    if text.count("\t") >= _MIN_ENRICHED_TABS:
        return "snowplow_enriched"
    if '\\"' in text and not text.lstrip().startswith(("{", "[")):
        return "backslash_quotes"
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(record, dict):
        return ""
    code = next((code for code, is_like in _LIKENESSES if is_like(record)), "")
    key = _wrapping_key(record) if code == "wrapped_event" else ""
    return f"{code}:{key}" if key else code


def _hint_of_lines(texts: list[str]) -> str:
    """Recognize lines that are not JSON and mostly hold the same number of one delimiter."""
    for delimiter in _DELIMITERS:
        counts = Counter(text.count(delimiter) for text in texts if _is_plain_line(text))
        count, lines = counts.most_common(1)[0] if counts else (0, 0)
        if count and lines > 1 and lines * 100 >= len(texts) * _MIN_SHARE_PERCENT:
            return "delimited_text"
    return ""


def _is_plain_line(text: str) -> bool:
    return not re.match(r'\s*[{\[<"]', text) and '\\"' not in text


def _has_keys(*names: str) -> Callable[[Record], bool]:
    wanted = frozenset(names)
    return lambda record: wanted <= record.keys()


def _is_posthog(record: Record) -> bool:
    return {"uuid", "event", "distinct_id"} <= record.keys()


def _is_mixpanel(record: Record) -> bool:
    properties = record.get("properties")
    return "event" in record and isinstance(properties, dict) and "distinct_id" in properties


def _is_amplitude(record: Record) -> bool:
    has_server_time = any(name.startswith("server_") for name in record)
    return {"event_type", "event_time"} <= record.keys() and (
        has_server_time or "$insert_id" in record or "amplitude_id" in record
    )


def _is_segment(record: Record) -> bool:
    is_warehouse = {"anonymous_id", "received_at", "sent_at"} <= record.keys()
    return is_warehouse or (
        "messageId" in record and ("anonymousId" in record or "userId" in record)
    )


def _is_mparticle(record: Record) -> bool:
    inner = record.get("data")
    return "mpid" in record or (isinstance(inner, dict) and "timestamp_unixtime_ms" in inner)


def _is_dynamodb(record: Record) -> bool:
    item = record.get("Item", record.get("NewImage"))
    return isinstance(item, dict) and any(
        isinstance(value, dict) and len(value) == 1 and next(iter(value)) in _DYNAMODB_TYPES
        for value in item.values()
    )


def _is_mongodb(record: Record) -> bool:
    return any(
        isinstance(value, dict) and not _MONGODB_TYPES.isdisjoint(value)
        for value in record.values()
    )


def _is_change(record: Record) -> bool:
    payload = record.get("payload")
    row = payload if isinstance(payload, dict) else record
    return "after" in row and ("op" in row or "before" in row)


def _is_manifest(record: Record) -> bool:
    files = record.get("files", record.get("entries"))
    return not RESERVED_NAMES & record.keys() and (
        "dataFileS3Key" in record or isinstance(files, list)
    )


def _is_schema(record: Record) -> bool:
    return "$schema" in record and "original_timestamp" not in record


def _is_float_id(record: Record) -> bool:
    return any(isinstance(record.get(name), float) for name in _ID_NAMES)


def _wrapping_key(record: Record) -> str:
    """The key whose value is, or begins with, an object that has fields of an event."""
    for key, value in record.items():
        inner = value[0] if isinstance(value, list) and value else value
        is_event = isinstance(inner, dict) and len(RESERVED_NAMES & inner.keys()) > 1
        if is_event and len(key) <= _MAX_KEY_LENGTH:
            return key
    return ""


_DYNAMODB_TYPES: Final = frozenset({"S", "N", "BOOL", "NULL", "M", "L", "SS", "NS", "B"})
_MONGODB_TYPES: Final = frozenset({"$date", "$oid", "$numberLong", "$numberDecimal"})
_ID_NAMES: Final = ("id", "uid", "sid", "cid", "item_id", "session_id", "client_id")
# In order: the first that fits counts, so the general ones stand last.
_LIKENESSES: Final[tuple[tuple[str, Callable[[Record], bool]], ...]] = (
    ("ga4_export", _has_keys("event_name", "event_timestamp", "event_params")),
    ("airbyte_raw", _has_keys("_airbyte_data")),
    ("elasticsearch_dump", _has_keys("_index", "_source")),
    ("dynamodb_export", _is_dynamodb),
    ("posthog_export", _is_posthog),
    ("mixpanel_export", _is_mixpanel),
    ("amplitude_export", _is_amplitude),
    ("segment_export", _is_segment),
    ("snowplow_enriched", _has_keys("event_id", "collector_tstamp")),
    ("algolia_insights", _has_keys("eventType", "userToken", "index")),
    ("mparticle_batch", _is_mparticle),
    ("mongodb_export", _is_mongodb),
    ("change_stream", _is_change),
    ("cloud_event", _has_keys("specversion", "data")),
    ("manifest", _is_manifest),
    ("json_schema", _is_schema),
    ("wrapped_event", lambda record: bool(_wrapping_key(record))),
    ("float_ids", _is_float_id),
)
