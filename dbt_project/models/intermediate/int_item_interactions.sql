{# A view: what fct_events stores is not stored again. #}
{{ config(materialized='view') }}

with

fct_events as (
    select * from {{ ref('fct_events') }}
),

item_interactions as (
    select
        id,
        id_hash,
        type,
        visitor_key,
        item_id,
        item_id_relation,
        rec_id,
        page_view_id,
        linked_impression_id,
        original_timestamp
    from fct_events
    where type in ('click', 'impression')
)

select * from item_interactions
