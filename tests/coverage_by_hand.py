"""The coverage of a set's attributes by queries over its files that were written by hand."""

from pathlib import Path
from typing import Any

import duckdb

# Accepted records, read without the pipeline: identity, type and time are all that these sets lack.
RECORDS = """
    create view records as
    select json as record, json ->> 'type' as type, json ->> 'id' as id,
        json ->> 'page_view_id' as page_view_id, json ->> 'page_type' as page_type,
        json ->> 'click_type' as click_type
    from read_json_objects('{files}', format = 'newline_delimited')
    where coalesce(json ->> 'uid', json ->> 'sid', json ->> 'cid') is not null
"""
RECENT = """
    create view recent as
    select * from records
    where (record ->> 'original_timestamp')::timestamp::date
        > (select max((record ->> 'original_timestamp')::timestamp::date) - 28 from records)
"""
ON_A_PAGE = "('page_view', 'module_view', 'impression', 'click', 'dwell_time', 'scroll')"
# Attribute: the events that it applies to, and those that carry it.
BY_HAND = {
    "page_id": (
        f"type in {ON_A_PAGE}",
        (
            "has(record, 'page_id', 'page_url', 'url', 'path')"
            " or exists (select 1 from records as page where page.type = 'page_view'"
            " and page.id = recent.page_view_id"
            " and has(page.record, 'page_id', 'page_url', 'url', 'path'))"
        ),
    ),
    "search_query": (
        "type = 'page_view' and page_type in ('search', 'search_results', 'results', 'serp')",
        "has(record, 'search_query', 'query', 'q', 'search_term')",
    ),
    "geolocation": ("true", "has(record, 'geolocation', 'geo', 'location', 'country', 'city')"),
    "locale/language": ("true", "has(record, 'locale', 'language', 'lang', 'lang')"),
    "device_type": ("true", "has(record, 'device_type', 'device', 'platform', 'user_agent')"),
    "logged_in": ("true", "has(record, 'logged_in', 'is_logged_in', 'authenticated', 'logged_in')"),
    "scroll_depth": (
        "type = 'scroll'",
        "has(record, 'scroll_depth', 'depth', 'scroll_pct', 'scroll_percentage')",
    ),
    "dwell_time": (
        "type = 'page_view'",
        (
            "has(record, 'dwell_ms') or exists (select 1 from records as dwell"
            " where dwell.type = 'dwell_time' and dwell.page_view_id = recent.id)"
        ),
    ),
    "cart_content": (
        (
            "type = 'conversion'"
            " or type = 'page_view' and page_type in ('cart', 'basket', 'checkout')"
            " or type = 'click' and click_type in ('add_to_cart', 'remove_from_cart', 'checkout')"
        ),
        (
            "has(record, 'cart_content', 'cart', 'cart_items', 'basket')"
            " or type = 'conversion' and has(record, 'item_ids')"
        ),
    ),
}
HAS = """
    create macro has(event, one, two := '', three := '', four := '', five := '') as
    len(list_filter([one, two, three, four, five], lambda name:
        coalesce(event ->> ('/' || name), '') not in ('', '[]', '{}') and name <> '')) > 0
"""


def by_hand(folder: Path) -> dict[str, tuple[int, int]]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(HAS)
        connection.execute(RECORDS.replace("{files}", f"{folder}/*.gz"))
        connection.execute(RECENT)
        counts = {}
        for attribute, (applies, carries) in BY_HAND.items():
            row = connection.execute(
                f"select count(*), count(*) filter (where {carries}) from recent where {applies}"
            ).fetchone()
            assert row is not None
            counts[attribute] = (row[0], row[1])
    return counts


def reported(report: dict[str, Any]) -> dict[str, tuple[int, int]]:
    rows = report["attributes"]
    return {
        row["attribute"]: (row["applicable_events"], row["carrying_events"])
        for row in rows
        if row["source"] == "(all)" and row["attribute"] in BY_HAND
    }
