"""The script that people write: JSON Lines to sessions and last clicks, with pandas and Pandera.

    python -m benchmarks.pandas_script EXPORTS OUT

In: a folder of JSON Lines. Out: `events.parquet`, `sessions.parquet` and `attributions.parquet`.

It does less than the main job: it reads one format, keeps no quarantine, knows no late login,
matches no impressions, has one attribution model, tests and reports nothing, starts from nothing
each time, and has half of its work on the disk after a crash.
"""

import sys
from pathlib import Path
from typing import Final

import pandas as pd
import pandera.pandas as pa

INACTIVITY: Final = pd.Timedelta(minutes=30)
CLICK_WINDOW: Final = pd.Timedelta(days=7)

SCHEMA: Final = pa.DataFrameSchema(
    {
        "id": pa.Column(str, nullable=False),
        "type": pa.Column(str, pa.Check.str_length(1, 64)),
        "original_timestamp": pa.Column("datetime64[us, UTC]", nullable=False),
        "visitor": pa.Column(str, nullable=False),
        "rank": pa.Column(float, pa.Check.ge(0), nullable=True),
    },
    checks=[
        pa.Check(lambda events: (events["type"] != "click") | events["item_id"].notna()),
        pa.Check(lambda events: (events["type"] != "conversion") | events["item_ids"].notna()),
    ],
)


def read_events(exports: Path) -> pd.DataFrame:
    """Read all files into one frame; ids stay text."""
    frames = [
        pd.read_json(file, lines=True, dtype=False) for file in sorted(exports.rglob("*.jsonl"))
    ]
    events = pd.concat(frames, ignore_index=True)
    for name, alias in (("sid", "session_id"), ("cid", "client_id")):
        if alias in events:
            events[name] = events[name].fillna(events.pop(alias))
    for name in ("original_timestamp", "server_timestamp", "ingest_timestamp"):
        events[name] = read_times(events[name])
    for name in ("rank", "dwell_ms", "order_total"):
        events[name] = pd.to_numeric(events[name], errors="coerce")
    events["visitor"] = events["uid"].fillna(events["cid"])
    return events


def read_times(given: pd.Series) -> pd.Series:
    """Read ISO text, or milliseconds since 1970."""
    milliseconds = pd.to_numeric(given, errors="coerce")
    texts = given.astype(object).mask(milliseconds.notna(), None)
    times = pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce")
    return times.fillna(pd.to_datetime(milliseconds, unit="ms", utc=True))


def validate(events: pd.DataFrame) -> pd.DataFrame:
    """Drop the rows that break a rule."""
    try:
        return SCHEMA.validate(events, lazy=True)
    except pa.errors.SchemaErrors as errors:
        broken = errors.failure_cases["index"].dropna().unique()
        return events.drop(index=broken)


def sessionize(events: pd.DataFrame) -> pd.DataFrame:
    """Number the sessions: a visitor's next one begins after 30 minutes without an event."""
    events = events.sort_values(["visitor", "original_timestamp"], ignore_index=True)
    pause = events.groupby("visitor")["original_timestamp"].diff()
    events["session"] = (pause.isna() | (pause > INACTIVITY)).cumsum()
    return events


def summarize_sessions(events: pd.DataFrame) -> pd.DataFrame:
    """A row a session."""
    return events.groupby("session", as_index=False).agg(
        visitor=("visitor", "first"),
        started_at=("original_timestamp", "min"),
        ended_at=("original_timestamp", "max"),
        events=("id", "size"),
        conversions=("type", lambda types: (types == "conversion").sum()),
    )


def attribute(events: pd.DataFrame) -> pd.DataFrame:
    """Give each item of a conversion the visitor's last click on it."""
    columns = ["visitor", "item_id", "original_timestamp", "id"]
    clicks = events.loc[events["type"] == "click", columns].rename(columns={"id": "click_id"})
    clicks["clicked_at"] = clicks["original_timestamp"]
    conversions = events.loc[
        events["type"] == "conversion", ["visitor", "item_ids", "original_timestamp", "id"]
    ]
    units = conversions.explode("item_ids").rename(columns={"item_ids": "item_id"})
    return pd.merge_asof(
        units.sort_values("original_timestamp"),
        clicks.sort_values("original_timestamp"),
        on="original_timestamp",
        by=["visitor", "item_id"],
        tolerance=CLICK_WINDOW,
    )


def main(exports: Path, out: Path) -> None:
    """Read, validate, sessionize, attribute, write."""
    events = validate(read_events(exports)).drop_duplicates("id")
    events = sessionize(events)
    out.mkdir(parents=True, exist_ok=True)
    events.to_parquet(out / "events.parquet")
    summarize_sessions(events).to_parquet(out / "sessions.parquet")
    attribute(events).to_parquet(out / "attributions.parquet")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
