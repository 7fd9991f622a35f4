{{ exact(
    key=['batch_id', 'type', 'field'],
    scope=['batch_id'],
    touched_by=['stg_touched_batches.batch_id'],
) }}

with

stg_batches as (
    select * from {{ ref('stg_batches') }}
),

stg_quarantined_events as (
    select * from {{ ref('stg_quarantined_events') }}
    where {{ touched(['batch_id']) }}
),

{# Few distinct lists of rules: counting them first keeps a batch that is all bad cheap. #}
rule_lists_counted as (
    select
        batch_id,
        coalesce(type, '(none)') as type,
        rules,
        count(*) as record_count
    from stg_quarantined_events
    group by 1, 2, 3
),

rules_exploded as (
    select
        rule_lists_counted.batch_id,
        rule_lists_counted.type,
        rule_lists_counted.record_count,
        broken_rules.rule
    from rule_lists_counted
    {{ cross_join_unnest('rule_lists_counted.rules', 'broken_rules', 'rule') }}
),

{# A field is missing or invalid, never both, so no record counts twice for one field. #}
broken_fields as (
    select
        rules_exploded.batch_id,
        stg_batches.source,
        rules_exploded.type,
        {{ text_after('rules_exploded.rule', '_') }} as field,
        cast(sum(rules_exploded.record_count) as bigint) as broken_records
    from rules_exploded
    inner join stg_batches on rules_exploded.batch_id = stg_batches.batch_id
    where split_part(rules_exploded.rule, '_', 1) in ('missing', 'invalid')
    group by 1, 2, 3, 4
)

select * from broken_fields
