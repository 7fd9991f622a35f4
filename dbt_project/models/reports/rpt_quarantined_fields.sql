with

int_batch_quarantined_keys as (
    select * from {{ ref('int_batch_quarantined_keys') }}
),

fields_counted as (
    select
        coalesce(source, '(all)') as source,
        type,
        rule,
        field,
        cast(sum(record_count) as bigint) as record_count
    from int_batch_quarantined_keys
    group by grouping sets ((source, type, rule, field), (type, rule, field))
)

select * from fields_counted
