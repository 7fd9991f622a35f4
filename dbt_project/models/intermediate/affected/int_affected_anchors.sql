{# Events that may have another anchor now. #}
with

changed_events as (
    select * from {{ changes('int_events_stitched') }}
),

int_events_stitched as (
    select * from {{ ref('int_events_stitched') }}
),

int_affected_visits as (
    select * from {{ ref('int_affected_visits') }}
),

events_affected as (
    select id
    from changed_events

    union distinct

    select int_events_stitched.id
    from int_events_stitched
    inner join int_affected_visits
        on
            int_events_stitched.visitor_key = int_affected_visits.visitor_key
            and int_events_stitched.original_timestamp >= int_affected_visits.from_at
)

select * from events_affected
