with

stg_violations as (
    select * from {{ ref('stg_violations') }}
),

stg_batches as (
    select * from {{ ref('stg_batches') }}
),

int_unreadable_values as (
    select * from {{ ref('int_unreadable_values') }}
),

values_unreadable as (
    select
        batch_id,
        'conversion' as type,
        'unreadable_value' as rule,
        'warning' as severity,
        count(*) as records
    from int_unreadable_values
    group by 1
),

violations as (
    select
        batch_id,
        type,
        rule,
        severity,
        records
    from stg_violations

    union all

    select
        batch_id,
        type,
        rule,
        severity,
        records
    from values_unreadable
),

violations_of_batches as (
    select
        violations.batch_id,
        stg_batches.source,
        stg_batches.path,
        violations.type,
        violations.rule,
        violations.severity,
        violations.records,
        stg_batches.is_current
    from violations
    inner join stg_batches on violations.batch_id = stg_batches.batch_id
)

select * from violations_of_batches
