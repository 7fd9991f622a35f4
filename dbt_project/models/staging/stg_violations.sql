{{ config(materialized='ephemeral') }}
with

source as (
    select * from {{ source('raw', 'violations') }}
),

stg_batches as (
    select * from {{ ref('stg_batches') }}
),

violations_of_current_batches as (
    select
        batch_id,
        type,
        rule,
        severity,
        records
    from source
    where batch_id in (
        select stg_batches.batch_id from stg_batches
        where stg_batches.is_current
    )
)

select * from violations_of_current_batches
