{# A view: the few records that lost are stored, so that no wide row is copied for the rest. #}
{{ config(materialized='view') }}

with

stg_events as (
    select * from {{ ref('stg_events') }}
),

int_duplicate_records as (
    select
        *,
        true as is_duplicate
    from {{ ref('int_duplicate_records') }}
),

{# A left join that finds nothing: see stg_events. #}
winners_kept as (
    select stg_events.*
    from stg_events
    left join int_duplicate_records
        on
            stg_events.batch_id = int_duplicate_records.batch_id
            and stg_events.source_line = int_duplicate_records.source_line
            and stg_events.source_item = int_duplicate_records.source_item
    where int_duplicate_records.is_duplicate is null
)

select * from winners_kept
