{{ config(materialized='view') }}

with

int_events_deduplicated as (
    select * from {{ ref('int_events_deduplicated') }}
),

shapes as (
    select
        id,
        property_shape
    from int_events_deduplicated
)

select * from shapes
