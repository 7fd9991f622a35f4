{{ config(materialized='ephemeral') }}
with

source as (
    select * from {{ source('raw', 'completeness_override_detectors') }}
)

select * from source
