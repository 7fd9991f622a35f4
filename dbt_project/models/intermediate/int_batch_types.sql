{{ exact(
    key=['batch_id', 'type'],
    scope=['batch_id'],
    affected_by=[{'rows_of': 'stg_affected_batches', 'columns': ['batch_id']}],
) }}

with

stg_batches as (
    select * from {{ ref('stg_batches') }}
),

stg_events as (
    select * from {{ ref('stg_events') }}
    where {{ affected(['batch_id']) }}
),

stg_quarantined_events as (
    select * from {{ ref('stg_quarantined_events') }}
    where {{ affected(['batch_id']) }}
),

accepted_counted as (
    select
        batch_id,
        type,
        count(*) as accepted,
        0 as quarantined
    from stg_events
    group by 1, 2
),

quarantined_counted as (
    select
        batch_id,
        coalesce(type, '(none)') as type,
        0 as accepted,
        count(*) as quarantined
    from stg_quarantined_events
    group by 1, 2
),

counts_united as (
    select * from accepted_counted
    union all
    select * from quarantined_counted
),

batch_types as (
    select
        counts_united.batch_id,
        stg_batches.source,
        counts_united.type,
        cast(sum(counts_united.accepted) as bigint) as accepted,
        cast(sum(counts_united.quarantined) as bigint) as quarantined
    from counts_united
    inner join stg_batches on counts_united.batch_id = stg_batches.batch_id
    group by 1, 2, 3
)

select * from batch_types
