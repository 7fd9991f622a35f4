{# A view: the few records that lost are stored, so that no wide row is copied for the rest. #}
{{ config(materialized='view') }}

with

stg_events as (
    select * from {{ ref('stg_events') }}
),

int_events_outranked as (
    select
        *,
        true as is_outranked
    from {{ ref('int_events_outranked') }}
),

{# A left join that finds nothing: see stg_events. #}
winners_kept as (
    select stg_events.*
    from stg_events
    left join int_events_outranked
        on
            stg_events.batch_id = int_events_outranked.batch_id
            and stg_events.source_line = int_events_outranked.source_line
            and stg_events.source_item = int_events_outranked.source_item
    where int_events_outranked.is_outranked is null
)

select * from winners_kept
