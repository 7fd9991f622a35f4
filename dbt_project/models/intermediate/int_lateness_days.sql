{{ exact(
    key=['source', 'type', 'lateness_seconds', 'day'],
    scope=['day'],
    affected_by=[{'rows_of': 'int_affected_event_days', 'columns': ['day']}],
) }}

with

fct_events as (
    select * from {{ ref('fct_events') }}
    where {{ affected(['cast(original_timestamp as date)']) }}
),

events_timed as (
    select
        source,
        type,
        {{ epoch_micros('ingest_timestamp') }} - {{ epoch_micros('original_timestamp') }}
            as lateness_micros,
        cast(original_timestamp as date) as day
    from fct_events
),

{# Whole seconds, rounded towards zero. #}
events_measured as (
    select
        source,
        type,
        case when lateness_micros < 0 then -1 else 1 end as sign,
        cast(
            {{ floor_divide('abs(lateness_micros)', 1000000) }} as bigint
        ) as lateness_seconds,
        case
            when lateness_micros > {{ minutes_in_micros(60 * var('sequen_late_hours')) }} then 1
            else 0
        end as late_event,
        day
    from events_timed
),

{# The first two digits, so that a day is a short histogram: 83,456 s count as 83,000 s. #}
events_rounded as (
    select
        source,
        type,
        sign
        * {{ floor_divide('lateness_seconds', unit_of_two_digits('lateness_seconds')) }}
        * {{ unit_of_two_digits('lateness_seconds') }} as lateness_seconds,
        late_event,
        day
    from events_measured
),

lateness_by_day as (
    select
        source,
        type,
        cast(lateness_seconds as bigint) as lateness_seconds,
        count(*) as event_count,
        cast(sum(late_event) as bigint) as late_event_count,
        day
    from events_rounded
    group by 1, 2, 3, 6
)

select * from lateness_by_day
