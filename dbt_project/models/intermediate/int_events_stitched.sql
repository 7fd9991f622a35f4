{# A view, for it is two look-ups in small tables: storing a row per event would cost more. #}
{{ config(materialized='view') }}

with

int_events_deduplicated as (
    select * from {{ ref('int_events_deduplicated') }}
),

int_sessions_identified as (
    select * from {{ ref('int_sessions_identified') }}
),

int_devices_identified as (
    select * from {{ ref('int_devices_identified') }}
),

events_stitched as (
    select
        int_events_deduplicated.*,
        coalesce(
            'uid:' || coalesce(
                int_events_deduplicated.uid,
                int_sessions_identified.uid,
                int_devices_identified.uid
            ),
            'cid:' || int_events_deduplicated.cid,
            'sid:' || int_events_deduplicated.sid
        ) as visitor_key
    from int_events_deduplicated
    left join int_sessions_identified
        on
            case when int_events_deduplicated.uid is null then int_events_deduplicated.sid end
            = int_sessions_identified.sid
            and int_events_deduplicated.cid is not distinct from int_sessions_identified.cid
    left join int_devices_identified
        on
            case when int_events_deduplicated.uid is null then int_events_deduplicated.cid end
            = int_devices_identified.cid
            and coalesce(
                int_sessions_identified.first_anonymous_at,
                int_events_deduplicated.original_timestamp
            ) = int_devices_identified.original_timestamp
)

select * from events_stitched
