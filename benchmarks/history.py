"""A long history, straight into a warehouse: 50,000 events a day, as the loader would leave them.

A fifth of the sessions belong to 12,000 loyal visitors, the others to visitors with about three
sessions in twenty days; three in ten sessions log in half way. A short history is the last days of
the long one, so both have the same mix.
"""

from datetime import date, timedelta
from typing import Final

import duckdb

from sequen_dagster.marts.warehouse import ID_HASH, create_raw_tables, transaction

EVENTS_PER_DAY: Final = 50_000
_FIRST_DAY: Final = date(2025, 1, 1)
_SESSIONS_PER_DAY: Final = EVENTS_PER_DAY // 8
_LATE_PERCENT: Final = 5

# What a session is: one row each, numbered through all days.
_SESSIONS = f"""
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

_EVENTS = f"""
insert into raw.events by name
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
)
select
    id,
    {ID_HASH} as id_hash,
    type,
    if(logs_in and place >= 4, 'u' || visitor, null) as uid,
    if(has_sid, 's' || session, null) as sid,
    'c' || visitor as cid,
    if(type in ('impression', 'click'), 'r' || session, null) as rec_id,
    if(place between 1 and 6, 'e' || session || '_0', null) as page_view_id,
    if(type = 'impression', 'e' || session || '_1', null) as module_view_id,
    if(type = 'click' and dice < 50, 'e' || session || '_2', null) as impression_id,
    case
        when type = 'impression' then if(place = 2, item, 'item' || hash(session, place) % 5000)
        when type = 'click' then item
    end as item_id,
    if(type = 'conversion', [item, 'item' || hash(session, 10) % 5000], null) as item_ids,
    if(type = 'page_view', if(dice < 20, 'home', 'product'), null) as page_type,
    if(type = 'click', 'product', null) as click_type,
    if(type = 'conversion', 'purchase', null) as conversion_type,
    format(
        '{{{{"page":{{{{"id":"p{{}}","url":"https://shop.example/p/{{}}"}}}},"geo":"CH",'
        '"locale":"de-CH","device":"phone","logged_in":{{}},"referrer":"direct"'
        ',"depth":{{}},"order_total":{{}}.5,"currency":"CHF"}}}}',
        session % 5000, session % 997, logs_in, dice, dice
    ) as properties,
    '[["currency","string"],["depth","number"],["device","string"],["geo","string"],'
    || '["locale","string"],["logged_in","boolean"],["order_total","number"],["page","object"],'
    || '["page.id","string"],["page.url","string"],["referrer","string"]]' as property_shape,
    md5(id) as record_md5,
    'default' as source,
    $batch || '.jsonl' as source_file,
    $batch as batch_id,
    if(type in ('impression', 'module_view'), place - 1, null)::integer as rank,
    if(type = 'dwell_time', 1000 * dice, null)::decimal(38, 6) as dwell_ms,
    row_number() over (order by second_of_day, id) as source_line,
    1 as source_item,
    happened_at as original_timestamp,
    happened_at - interval 1 second as server_timestamp,
    $day::timestamp + interval 1 day as ingest_timestamp,
    $day::timestamp + interval 1 day as received_at
from typed
"""

_BOT = f"""
insert into raw.events by name
with numbered as (
    select *, 'bot' || second as id from range($first, $last) as seconds (second)
)
select
    id,
    {ID_HASH} as id_hash,
    'scroll' as type,
    'bot' as cid,
    '{{}}' as properties,
    '[]' as property_shape,
    md5('bot' || second) as record_md5,
    'default' as source,
    $batch || '.jsonl' as source_file,
    $batch as batch_id,
    second as source_line,
    1 as source_item,
    timestamp '2025-01-01' + to_seconds(second) as original_timestamp,
    timestamp '2026-01-01' as ingest_timestamp,
    timestamp '2026-01-01' as received_at
from numbered
"""

_RESENT = """
insert into raw.events by name
select * replace (
    $batch as batch_id, $batch || '.jsonl' as source_file, 900000 + source_line as source_line
)
from raw.events
where batch_id = $before and source_line <= 500
"""


def add_days(warehouse: duckdb.DuckDBPyConnection, first: int, last: int) -> None:
    """Load the days `first` to `last` - 1, one batch a day; 5 % of a day's sessions come late."""
    create_raw_tables(warehouse)
    for day in range(first, last):
        batch = f"day{day:04d}"
        with transaction(warehouse):
            warehouse.execute(
                _EVENTS,
                {
                    "first": day * _SESSIONS_PER_DAY,
                    "last": (day + 1) * _SESSIONS_PER_DAY,
                    "day": _FIRST_DAY + timedelta(days=day),
                    "late": _LATE_PERCENT,
                    "batch": batch,
                },
            )
            if day > first:
                warehouse.execute(_RESENT, {"batch": batch, "before": f"day{day - 1:04d}"})
            _note(warehouse, batch)


def add_bot(warehouse: duckdb.DuckDBPyConnection, first: int, last: int) -> None:
    """Load events of one visitor, a second apart, without a session id."""
    batch = f"bot{first}"
    with transaction(warehouse):
        warehouse.execute(_BOT, {"batch": batch, "first": first, "last": last})
        _note(warehouse, batch)


def _note(warehouse: duckdb.DuckDBPyConnection, batch: str) -> None:
    warehouse.execute(
        "insert into raw.batches by name select ? as batch_id, 'default' as source,"
        " ? || '.jsonl' as path, ? as file_sha256, 1 as version, count(*) as accepted,"
        " count(*) as records_read, 0 as quarantined, 0 as skipped, 0 as blank_lines,"
        " timestamp '2026-01-01' as registered_at from raw.events where batch_id = ?",
        [batch, batch, batch, batch],
    )
    warehouse.execute("insert into raw.affected_batches values (?)", [batch])
    warehouse.execute(
        "insert into raw.affected_ids select id from raw.events where batch_id = ?", [batch]
    )
