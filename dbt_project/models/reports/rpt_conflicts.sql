with

stg_batches as (
    select * from {{ ref('stg_batches') }}
    where is_current
),

int_events_outranked as (
    select * from {{ ref('int_events_outranked') }}
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
        source,
        {{ sequen.sorted_texts('type', 'true') }} as types,
        count(*) as conflicting_records,
        count(distinct id) as conflicting_ids
    from int_events_outranked
    group by 1
),

conflicts_of_sources as (
    select
        accepted_counted.source,
        coalesce(conflicts_counted.types, cast([] as varchar[])) as types,
        accepted_counted.accepted_records,
        coalesce(conflicts_counted.conflicting_records, 0) as conflicting_records,
        coalesce(conflicts_counted.conflicting_ids, 0) as conflicting_ids,
        cast(coalesce(conflicts_counted.conflicting_records, 0) as double)
        / nullif(accepted_counted.accepted_records, 0) as conflicting_share
    from accepted_counted
    left join conflicts_counted on accepted_counted.source = conflicts_counted.source
)

select * from conflicts_of_sources
