"""Reports: which rows of the training set may have changed.

In: rows of the published tables that have changed, before and after. Out: ids of impressions, with
the days on which they are and were; every other row is as it was. A row depends on its
impression, on the page and the module that it links to, on the clicks that answer it, on what is
credited to it or to these, and on dwell times: its own, and those of pages that its clicks opened.
"""

from typing import Final

import duckdb

from sequen_dagster.reports.training_manifest import Cuts

# What has to be known of changed rows, by table.
TRACED: Final = {
    "fct_impressions": ("id", "original_timestamp"),
    "fct_events": (
        "id",
        "type",
        "session_key",
        "linked_impression_id",
        "linked_page_view_id",
        "original_timestamp",
    ),
    "fct_clicks": ("session_key", "matched_impression_id"),
    "fct_attributions": ("touch_id",),
    "fct_module_views": ("id",),
    "fct_page_views": ("id",),
}
# Which page a click has opened is decided within its session. Of a link that has changed, the row
# that holds it has changed as well, so that it is enough to follow links as they are now.
_ROWS: Final = """
with pages as (
    select linked_page_view_id as id from {changed}.fct_events where type = 'dwell_time'
),
sessions as (
    select session_key from {changed}.fct_clicks
    union
    select session_key from {changed}.fct_events where type in ('click', 'page_view')
    union
    select session_key from {tables}.fct_events where type = 'page_view' and id in (from pages)
),
touches as (
    select touch_id as id from {changed}.fct_attributions
),
impressions as (
    from touches
    union
    select matched_impression_id from {changed}.fct_clicks
    union
    select matched_impression_id from {tables}.fct_clicks where id in (from touches)
    union
    select matched_impression_id from {tables}.fct_clicks where session_key in (from sessions)
    union
    select linked_impression_id from {changed}.fct_events where type = 'dwell_time'
),
module_views as (
    select id from {changed}.fct_module_views
),
page_views as (
    select id from {changed}.fct_page_views
),
shown as (
    select id, original_timestamp from {changed}.fct_impressions
    union all
    select id, original_timestamp from {changed}.fct_events where type = 'impression'
    union all
    select id, original_timestamp from {tables}.fct_impressions where id in (from impressions)
    union all
    select id, original_timestamp from {tables}.fct_impressions
    where linked_module_view_id in (from module_views)
    union all
    select id, original_timestamp from {tables}.fct_impressions
    where linked_page_view_id in (from page_views)
)
select distinct id as impression_id, cast(original_timestamp as date) as day from shown
"""


def select_changed(*, tables: str, changed: str) -> str:
    """The query for rows of the training set that may have changed.

    Args:
        tables: the schema of the tables as they are.
        changed: a schema that holds, under the names of `TRACED`, the rows that have changed: each
            as it was and as it is.

    Returns:
        SQL that gives `impression_id` and `day`, the UTC day: more than have changed, never fewer;
        an impression that has moved to another day is on both.
    """
    return _ROWS.format(tables=tables, changed=changed)


def select_moved(snapshot: duckdb.DuckDBPyConnection, before: Cuts, after: Cuts) -> str:
    """The query for rows whose period or labels may be others, since cuts have moved.

    Args:
        snapshot: a connection with the published tables attached as `snapshot`.
        before: where time was cut; all None without impressions.
        after: where it is cut.

    Returns:
        SQL as of `select_changed`.
    """
    # Without impressions before, or now, every row has changed by itself.
    moved = [
        (min(was, now), max(was, now))
        for was, now in zip(before, after, strict=True)
        if was and now and was != now
    ]

    def is_between(column: str) -> str:
        return (
            "false"
            if not moved
            else " or ".join(
                f"{column} >= timestamp '{start}' and {column} < timestamp '{end}'"
                for start, end in moved
            )
        )

    conditions = {
        **dict.fromkeys(TRACED, is_between("original_timestamp")),
        "fct_attributions": is_between("converted_at"),
        # What an impression links to is known whenever it is the earlier.
        "fct_module_views": "false",
        "fct_page_views": "false",
    }
    snapshot.execute("create schema moved")
    for table, condition in conditions.items():
        snapshot.execute(
            f"create view moved.{table} as"  # noqa: S608  # our own names and instants
            f" select * from snapshot.main.{table} where {condition}"
        )
    return select_changed(tables="snapshot.main", changed="moved")
