{{ config(materialized='ephemeral') }}
with

int_duplicate_records as (
    select * from {{ ref('int_duplicate_records') }}
),

duplicates_counted as (
    select
        batch_id,
        count(*) as duplicate_records,
        count(case when is_conflicting then 1 end) as conflicting_records
    from int_duplicate_records
    group by 1
)

select * from duplicates_counted
