"""Snapshots made by hand, of the columns that the training set reads; and their labels in Python.

Times are minutes after `START`.
"""

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import duckdb

START = datetime(2025, 7, 14, 9, 0)
TABLES = {
    "fct_events": (
        "id varchar, type varchar, item_id varchar, item_id_relation varchar, page_view_id varchar,"
        " properties varchar, session_key varchar, linked_page_view_id varchar,"
        " linked_impression_id varchar, dwell_ms decimal(38, 6), original_timestamp timestamp,"
        " server_timestamp timestamp"
    ),
    "fct_impressions": (
        "id varchar, visitor_key varchar, session_key varchar, source varchar, item_id varchar,"
        " item_id_relation varchar, rec_id varchar, module_view_id varchar, page_view_id varchar,"
        " linked_module_view_id varchar, linked_page_view_id varchar, rank integer,"
        " click_count bigint, is_clicked boolean, is_converted boolean,"
        " original_timestamp timestamp"
    ),
    "fct_clicks": (
        "id varchar, session_key varchar, item_id varchar, item_id_relation varchar,"
        " matched_impression_id varchar, original_timestamp timestamp"
    ),
    "fct_attributions": (
        "touch_id varchar, touch_type varchar, touch_number bigint, touch_count bigint,"
        " converted_at timestamp"
    ),
    "fct_module_views": "id varchar, rank integer, original_timestamp timestamp",
    "fct_page_views": "id varchar, page_type varchar, original_timestamp timestamp",
}
Row = dict[str, Any]


def at(minute: float, *, micros: int = 0) -> datetime:
    return START + timedelta(minutes=minute, microseconds=micros)


def bucket_of(visitor: str) -> int:
    return int(hashlib.md5(visitor.encode()).hexdigest()[:15], 16) % 100  # noqa: S324  # no secret


def split_of(bucket: int) -> str:
    return "train" if bucket < 70 else "validation" if bucket < 85 else "test"


def visitors(split: str, number: int = 1) -> list[str]:
    """The first visitors whose hash puts them into a split."""
    keys = (f"uid:u{one}" for one in count())
    found = (key for key in keys if split_of(bucket_of(key)) == split)
    return [next(found) for _ in range(number)]


@dataclass
class Snapshot:
    """Tables that are being put together, a call an event."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))

    def event(self, event_type: str, name: str, when: datetime, **fields: Any) -> Row:
        row = {"id": name, "type": event_type, "original_timestamp": when, **fields}
        self.rows["fct_events"].append(row)
        return row

    def impression(self, name: str, when: datetime, visitor: str, **fields: Any) -> None:
        seen = {"item_id": "a", "session_key": f"s-{visitor}", "source": "shop", "rank": 1}
        sent = self.event("impression", name, when, **{"properties": "{}", **seen, **fields})
        filled = {"page_view_id": fields.get("module_page_view_id"), **sent}
        self.rows["fct_impressions"].append({"visitor_key": visitor, **filled})

    def click(self, name: str, when: datetime, of: str | None, **fields: Any) -> None:
        row = {"item_id": "a", "session_key": "s", "matched_impression_id": of, **fields}
        self.rows["fct_clicks"].append(self.event("click", name, when, **row))

    def page(self, name: str, when: datetime, page_type: str = "product", **fields: Any) -> None:
        row = {"session_key": "s", "page_type": page_type, **fields}
        self.rows["fct_page_views"].append(self.event("page_view", name, when, **row))

    def module(self, name: str, when: datetime, rank: int) -> None:
        self.rows["fct_module_views"].append(self.event("module_view", name, when, rank=rank))

    def dwell(self, name: str, when: datetime, ms: str, **links: Any) -> None:
        self.event("dwell_time", name, when, dwell_ms=ms, **links)

    def credit(self, kind: str, touch: str, when: datetime, place: int = 1, of: int = 1) -> None:
        """A touch of a conversion, and the conversion."""
        self.event("conversion", f"order of {touch} at {when}", when)
        self.rows["fct_attributions"].append(
            {
                "touch_id": touch,
                "touch_type": kind,
                "touch_number": place,
                "touch_count": of,
                "converted_at": when,
            }
        )

    def write(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the tables; rows go in as they stand."""
        for table, columns in TABLES.items():
            # The comma of decimal(38, 6) is none between columns.
            names = [one.split()[0] for one in columns.split(", ") if one[0].isalpha()]
            connection.execute(f"create or replace table {table} ({columns})")
            values = [row.get(name) for row in self.rows[table] for name in names]
            if values:
                # One statement: a tenth of the time of `executemany`.
                row = f"({', '.join('?' * len(names))})"
                rows = ", ".join([row] * len(self.rows[table]))
                connection.execute(f"insert into {table} values {rows}", values)


def labels_of(snapshot: Snapshot, impression: str, until: datetime) -> tuple[Any, ...]:
    """(clicked_at, converted_at, dwell_ms) of an impression, read off the rows one by one."""
    clicks = snapshot.rows["fct_clicks"]
    own = [row for row in clicks if row["matched_impression_id"] == impression]
    clicked = [one["original_timestamp"] for one in own if one["original_timestamp"] < until]
    names = {impression, *(one["id"] for one in own)}
    converted = [
        row["converted_at"]
        for row in snapshot.rows["fct_attributions"]
        if row["touch_number"] == row["touch_count"]
        and row["touch_id"] in names
        and row["converted_at"] < until
    ]
    dwells = [row for row in snapshot.rows["fct_events"] if row["type"] == "dwell_time"]
    dwells = [row for row in dwells if row["original_timestamp"] < until]
    explicit = [row for row in dwells if row.get("linked_impression_id") == impression]
    opened = [page for one in own if (page := _opened(snapshot, one)) is not None]
    pages = {page["id"] for page in opened if page["original_timestamp"] < until}
    implied = [
        row
        for row in dwells
        if row.get("linked_impression_id") is None and row.get("linked_page_view_id") in pages
    ]
    spent = [int(row["dwell_ms"]) for row in explicit or implied]
    return min(clicked, default=None), min(converted, default=None), sum(spent) if spent else None


def _opened(snapshot: Snapshot, click: Row) -> Row | None:
    """The page that a click opened."""

    def moment(row: Row) -> tuple[datetime, int, str]:
        return row["original_timestamp"], int(row["type"] == "page_view"), row["id"]

    place = (click["session_key"], click["item_id"])
    others = [
        row
        for row in snapshot.rows["fct_events"]
        if row["type"] in ("click", "page_view")
        and (row["session_key"], row.get("item_id")) == place
        and moment(row) > moment(click)
    ]
    for row in sorted(others, key=moment):
        if row["type"] == "click":
            return None
        relations = {click.get("item_id_relation"), row.get("item_id_relation")} - {None}
        if len(relations) < 2:
            return row
    return None
