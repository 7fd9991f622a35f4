with

int_events_outranked as (
    select * from {{ ref('int_events_outranked') }}
),

duplicates_counted as (
    select
        batch_id,
        count(*) as duplicate_records,
        count(case when is_conflicting then 1 end) as conflicting_records
    from int_events_outranked
    group by 1
)

select * from duplicates_counted
