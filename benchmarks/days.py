"""A long history as export files: 50,000 events a day, a file each, the same ones every time.

A fifth of the sessions belong to 12,000 loyal visitors, the others to visitors with about three
sessions in twenty days; three in ten sessions log in half way. Of a day's sessions 5 % come up to
seven days late, and 500 records are sent again the next day. A short history is the last days of
the long one, so both have the same mix.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

import duckdb

EVENTS_PER_DAY: Final = 50_000
_FIRST_DAY: Final = datetime(2025, 1, 1, tzinfo=UTC)
_SESSIONS_PER_DAY: Final = EVENTS_PER_DAY // 8
_LATE_PERCENT: Final = 5
_RESENT: Final = 500
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"

# What a session is: one row each, numbered through all days.
_SESSIONS: Final = f"""
select
    session,
    hash(session) % 100 as dice,
    case
        when hash(session, 1) % 5 = 0 then 'loyal' || hash(session, 2) % 12000
        else 'new' || (session // {20 * _SESSIONS_PER_DAY}) || '_' || hash(session, 3) % 33000
    end as visitor,
    hash(session, 4) % 10 < 3 as logs_in,
    hash(session, 5) % 10 < 8 as has_sid,
    hash(session, 6) % 86000 as second_of_day,
    'item' || hash(session, 7) % 5000 as item
from range($first, $last) as sessions (session)
"""

_EVENTS: Final = f"""
with sessions as ({_SESSIONS}),
numbered as (
    select
        *,
        'e' || session || '_' || place as id,
        $day::timestamp
        - to_days(
            case
                when hash(session, 8) % 100 < $late then (1 + hash(session, 9) % 7)::integer
                else 0
            end
        )
        + to_seconds(second_of_day + 40 * place) as happened_at
    from sessions, range(8) as places (place)
),
typed as (
    select
        *,
        case place
            when 0 then 'page_view'
            when 1 then 'module_view'
            when 5 then 'click'
            when 6 then if(dice < 50, 'scroll', 'dwell_time')
            when 7 then if(dice % 8 = 0, 'conversion', 'page_view')
            else 'impression'
        end as type
    from numbered
),
events as (
    select
        id,
        type,
        strftime(happened_at, '{_TIME}') as original_timestamp,
        strftime(happened_at - interval 1 second, '{_TIME}') as server_timestamp,
        strftime($day::timestamp + interval 1 day, '{_TIME}') as ingest_timestamp,
        if(logs_in and place >= 4, 'u' || visitor, null) as uid,
        if(has_sid, 's' || session, null) as sid,
        'c' || visitor as cid,
        if(type in ('impression', 'click'), 'r' || session, null) as rec_id,
        if(place between 1 and 6, 'e' || session || '_0', null) as page_view_id,
        if(type = 'impression', 'e' || session || '_1', null) as module_view_id,
        if(type = 'click' and dice < 50, 'e' || session || '_2', null) as impression_id,
        case
            when type = 'impression'
                then if(place = 2, item, 'item' || hash(session, place) % 5000)
            when type = 'click' then item
        end as item_id,
        if(type = 'conversion', [item, 'item' || hash(session, 10) % 5000], null) as item_ids,
        if(type = 'page_view', if(dice < 20, 'home', 'product'), null) as page_type,
        if(type = 'click', 'product', null) as click_type,
        if(type = 'conversion', 'purchase', null) as conversion_type,
        if(type in ('impression', 'module_view'), place - 1, null) as rank,
        if(type = 'dwell_time', 1000 * dice, null) as dwell_ms,
        {{
            'id': 'p' || session % 5000, 'url': 'https://shop.example/p/' || session % 997
        }} as page,
        'CH' as geo,
        'de-CH' as locale,
        'phone' as device,
        logged_in,
        'direct' as referrer,
        dice as depth,
        dice + 0.5 as order_total,
        'CHF' as currency
    from (select *, logs_in as logged_in, second_of_day as ordinal from typed)
    order by ordinal, id
)
select json_merge_patch('{{}}', to_json(events)) as line from events
"""

_BOT: Final = f"""
with events as (
    select
        'bot' || second as id,
        'scroll' as type,
        'bot' as cid,
        strftime(timestamp '2025-01-01' + to_seconds(second), '{_TIME}') as original_timestamp
    from range($first, $last) as seconds (second)
)
select to_json(events) as line from events
"""


def write_days(exports: Path, first: int, last: int) -> None:
    """Write the days `first` to `last` - 1, each with records of the day before if that is there.

    Args:
        exports: folder of the files; made if missing.
        first: number of the first day.
        last: number of the day behind the last one.
    """
    for day in range(first, last):
        begin = _FIRST_DAY + timedelta(days=day)
        values = {
            "first": day * _SESSIONS_PER_DAY,
            "last": (day + 1) * _SESSIONS_PER_DAY,
            "day": begin.date(),
            "late": _LATE_PERCENT,
        }
        file = _write(exports / f"day{day:04d}.jsonl", _EVENTS, values)
        before = exports / f"day{day - 1:04d}.jsonl"
        if before.exists():
            with before.open(encoding="utf-8") as lines, file.open("a", encoding="utf-8") as out:
                out.writelines(islice(lines, _RESENT))
        # Files arrive at the end of their day.
        arrival = (begin + timedelta(days=1)).timestamp()
        os.utime(file, (arrival, arrival))


def write_bot(exports: Path, first: int, last: int) -> None:
    """Write events of one visitor, a second apart, without a session id."""
    _write(exports / f"bot{first}.jsonl", _BOT, {"first": first, "last": last})


def _write(file: Path, statement: str, values: dict[str, object]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as engine, file.open("w", encoding="utf-8") as out:
        engine.execute("set enable_progress_bar = false")
        rows = engine.execute(statement, values)
        out.writelines(f"{line}\n" for line in _lines(rows))
    return file


def _lines(rows: duckdb.DuckDBPyConnection) -> Iterator[str]:
    while block := rows.fetchmany(10_000):
        yield from (line for (line,) in block)
