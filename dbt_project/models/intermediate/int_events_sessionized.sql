with

{# Imported once for each use: a CTE that is read twice is kept in memory. #}
events_without_session as (
    select
        visitor_key,
        case when '{{ var("sequen_session_rule") }}' = 'given' then sid end as sid
    from {{ ref('int_events_stitched') }}
),

events as (
    select
        id,
        visitor_key,
        case when '{{ var("sequen_session_rule") }}' = 'given' then sid end as sid,
        {{ epoch_micros('original_timestamp') }} as happened_at_us
    from {{ ref('int_events_stitched') }}
),

{# An event with a sid needs no look back, so a visitor who always sends one is left out. #}
visitors_to_look_back as (
    select distinct visitor_key
    from events_without_session
    where sid is null
),

events_with_gaps as (
    select
        events.id,
        events.visitor_key,
        events.sid,
        events.happened_at_us,
        events.happened_at_us - lag(events.happened_at_us) over (
            partition by events.visitor_key
            order by events.happened_at_us, events.id
        ) as gap_us
    from events
    inner join visitors_to_look_back on events.visitor_key = visitors_to_look_back.visitor_key
),

{# A visitor's first event has no gap: null starts a session too. #}
anchors_marked as (
    select
        id,
        visitor_key,
        sid,
        happened_at_us,
        case
            when sid is not null then 's' || sid
            when coalesce(gap_us > 60000000 * {{ var('sequen_session_timeout_minutes') }}, true)
                then 'e' || id
        end as anchor
    from events_with_gaps
),

{# Carried as one text, kind and all: a second window would cost as much as the first. #}
anchors_carried as (
    select
        id,
        visitor_key,
        sid,
        {{ last_known('anchor') }} over (
            partition by visitor_key
            order by happened_at_us, id
            rows between unbounded preceding and current row
        ) as anchor
    from anchors_marked
),

events_sessionized as (
    select
        id,
        {{ session_key(
            'visitor_key',
            "case when anchor like 's%' then 'sid' else 'event' end",
            'substr(anchor, 2)',
        ) }} as session_key
    from anchors_carried
    where sid is null
)

select * from events_sessionized
