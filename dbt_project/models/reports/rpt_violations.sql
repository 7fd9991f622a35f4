with

stg_violations as (
    select * from {{ ref('stg_violations') }}
),

stg_batches as (
    select * from {{ ref('stg_batches') }}
),

violations_of_batches as (
    select
        stg_violations.batch_id,
        stg_batches.source,
        stg_batches.path,
        stg_violations.type,
        stg_violations.rule,
        stg_violations.severity,
        stg_violations.records,
        stg_batches.is_current
    from stg_violations
    inner join stg_batches on stg_violations.batch_id = stg_batches.batch_id
)

select * from violations_of_batches
