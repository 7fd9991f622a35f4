with

stg_batches as (
    select * from {{ ref('stg_batches') }}
    where is_current
),

conflicting_records as (
    select * from {{ ref('int_duplicate_records') }}
    where is_conflicting
),

accepted_counted as (
    select
        source,
        cast(sum(accepted) as bigint) as accepted_records
    from stg_batches
    group by 1
),

conflicts_counted as (
    select
        accepted_counted.source,
        {{ sequen.sorted_texts('conflicting_records.type', 'conflicting_records.id is not null') }}
            as types,
        accepted_counted.accepted_records,
        count(conflicting_records.id) as conflicting_records,
        count(distinct conflicting_records.id) as conflicting_ids
    from accepted_counted
    left join conflicting_records on accepted_counted.source = conflicting_records.source
    group by 1, 3
),

shares_computed as (
    select
        *,
        cast(conflicting_records as double) / nullif(accepted_records, 0) as conflicting_share
    from conflicts_counted
)

select * from shares_computed
