with

stg_violations as (
    select * from {{ ref('stg_violations') }}
),

stg_batches as (
    select * from {{ ref('stg_batches') }}
),

conversions as (
    select
        id,
        batch_id,
        {{ json_text('properties', var('sequen_value_field')) }} as written_value
    from {{ ref('fct_events') }}
    where type = 'conversion'
),

conversions_without_value as (
    select id
    from {{ ref('fct_conversions') }}
    where value is null
),

{# Which field holds the value is a setting of the marts, so only they can warn. #}
values_unreadable as (
    select
        conversions.batch_id,
        'conversion' as type,
        'unreadable_value' as rule,
        'warning' as severity,
        count(*) as records
    from conversions
    inner join conversions_without_value on conversions.id = conversions_without_value.id
    where trim(conversions.written_value) not in ('', '[]', '{}')
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
