{{ config(materialized='ephemeral') }}
with

source as (
    select * from {{ source('raw', 'completeness_overrides') }}
)

select * from source
