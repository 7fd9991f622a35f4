{{ exact(
    key=['source', 'type', 'lateness_seconds', 'day'],
    scope=['day'],
    touched_by=['fct_events.cast(original_timestamp as date)'],
) }}

with

fct_events as (
    select * from {{ ref('fct_events') }}
    where {{ touched(['cast(original_timestamp as date)']) }}
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

{# Whole seconds, rounded down, so that a day is a short histogram and quantiles stay exact. #}
events_measured as (
    select
        source,
        type,
        cast({{ floor_divide('lateness_micros', 1000000) }} as bigint) as lateness_seconds,
        case
            when lateness_micros > {{ var('sequen_late_hours') }} * 3600000000 then 1
            else 0
        end as late_event,
        day
    from events_timed
),

lateness_by_day as (
    select
        source,
        type,
        lateness_seconds,
        count(*) as event_count,
        cast(sum(late_event) as bigint) as late_event_count,
        day
    from events_measured
    group by 1, 2, 3, 6
)

select * from lateness_by_day
