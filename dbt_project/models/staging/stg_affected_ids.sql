{{ config(materialized='ephemeral') }}
{# Ids that batches brought, replaced or took away since the last build that ran through. #}
with

source as (
    select * from {{ source('raw', 'affected_ids') }}
)

select distinct id from source
