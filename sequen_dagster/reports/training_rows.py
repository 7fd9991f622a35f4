"""Reports: rows of the training set, some days at a time.

In: the published tables. Out: the rows that the view `training_impressions` gives for impressions
of these days. It is the view's own SQL, over tables from which all is left out that no row of these
days is made of; so neither time nor memory follow the history.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Final

import duckdb

# So many rows are made at once, some hundred bytes each; a day is never cut.
_ROWS_AT_ONCE: Final = 200_000
_VIEW: Final = "training_impressions"
# What rows of a chunk are made of. A page that a click has opened lies in the session of the click.
_KEYS: Final = {
    "chunk_impressions": (
        "select id, linked_module_view_id, linked_page_view_id from fct_impressions"
    ),
    "chunk_sessions": (
        "select distinct session_key from snapshot.main.fct_clicks"
        " where matched_impression_id in (select id from chunk_impressions)"
    ),
    "chunk_clicks": (
        "select id from snapshot.main.fct_clicks where session_key in (from chunk_sessions)"
    ),
    "chunk_pages": (
        "select id from snapshot.main.fct_events where type = 'page_view' and item_id is not null"
        " and session_key in (from chunk_sessions)"
    ),
}
_NARROWED: Final = {
    "fct_impressions": "from snapshot.main.fct_impressions where {is_in_chunk}",
    "fct_events": (
        "from snapshot.main.fct_events where type = 'impression' and {is_in_chunk}"
        " union all from snapshot.main.fct_events where type = 'page_view'"
        " and id in (from chunk_pages)"
        " union all from snapshot.main.fct_events where type = 'dwell_time'"
        " and (linked_impression_id in (select id from chunk_impressions)"
        " or linked_page_view_id in (from chunk_pages))"
    ),
    "fct_clicks": "from snapshot.main.fct_clicks where id in (from chunk_clicks)",
    "fct_attributions": (
        "from snapshot.main.fct_attributions where touch_id in"
        " (select id from chunk_impressions union all from chunk_clicks)"
    ),
    "fct_module_views": (
        "from snapshot.main.fct_module_views"
        " where id in (select linked_module_view_id from chunk_impressions)"
    ),
    "fct_page_views": (
        "from snapshot.main.fct_page_views"
        " where id in (select linked_page_view_id from chunk_impressions)"
    ),
}


def prepare_rows(snapshot: duckdb.DuckDBPyConnection) -> dict[date, int]:
    """Compute what rows of all days are made of: where time is cut.

    Args:
        snapshot: a connection with the published tables and views attached as `snapshot`, and a
            database of its own to compute in.

    Returns:
        How many impressions there are on each UTC day, in order of the days.
    """
    snapshot.execute("create table training_periods as from snapshot.main.training_periods")
    found = snapshot.execute(
        "select cast(original_timestamp as date), count(*) from snapshot.main.fct_impressions"
        " group by 1 order by 1"
    ).fetchall()
    return dict(found)


def in_chunks(counts: Iterable[tuple[date, int]]) -> Iterator[list[date]]:
    """Days in their order, so many at a time as have few rows together.

    Example:
        >>> days = [(date(2025, 7, 14), 150_000), (date(2025, 7, 15), 90_000)]
        >>> [len(chunk) for chunk in in_chunks(days)]
        [1, 1]
    """
    chunk: list[date] = []
    rows = 0
    for day, count in counts:
        if chunk and rows + count > _ROWS_AT_ONCE:
            yield chunk
            chunk, rows = [], 0
        chunk.append(day)
        rows += count
    if chunk:
        yield chunk


def make_rows(
    snapshot: duckdb.DuckDBPyConnection, days: Sequence[date], *, among: str = ""
) -> None:
    """Make the rows of these days: the table `training_rows`, in no order.

    Args:
        snapshot: as `prepare_rows` has left it.
        days: UTC days, in order.
        among: the table whose `impression_id` are wanted; by default all are.
    """
    snapshot.execute("create or replace table chunk_days (day date)")
    if days:
        snapshot.execute("insert into chunk_days select unnest(?::date[])", [list(days)])
    # The limits are for the engine, which passes over what lies outside of them.
    first, last = (days[0], days[-1]) if days else (date.min, date.min)
    is_in_chunk = (
        f"original_timestamp >= timestamp '{first}'"
        f" and original_timestamp < timestamp '{last}' + interval 1 day"
        " and cast(original_timestamp as date) in (from chunk_days)"
    )
    if among:
        is_in_chunk += f" and id in (select impression_id from {among})"  # noqa: S608
    # The impressions come first, since the keys are read from them, and the others need the keys.
    for table, query in _NARROWED.items():
        snapshot.execute(
            f"create or replace view {table} as {query.format(is_in_chunk=is_in_chunk)}"
        )
        if table == "fct_impressions":
            for name, keys in _KEYS.items():
                snapshot.execute(f"create or replace table {name} as {keys}")
    snapshot.execute(f"drop view if exists {_VIEW}")
    snapshot.execute(_read_view(snapshot))
    snapshot.execute(f"create or replace table training_rows as from {_VIEW}")


def _read_view(snapshot: duckdb.DuckDBPyConnection) -> str:
    """The text of the view, which names no database, so that here it reads what is narrowed."""
    found = snapshot.execute(
        "select sql from duckdb_views() where database_name = 'snapshot' and view_name = ?", [_VIEW]
    ).fetchone()
    return str(found[0]) if found else ""
