{{ config(materialized='ephemeral') }}
{# Batches that came, went or were revalidated since the last build that ran through. #}
with

source as (
    select * from {{ source('raw', 'affected_batches') }}
)

select distinct batch_id from source
