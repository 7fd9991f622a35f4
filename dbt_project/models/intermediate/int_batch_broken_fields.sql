{{ config(materialized='ephemeral') }}
with

int_batch_rule_lists as (
    select * from {{ ref('int_batch_rule_lists') }}
),

rules_exploded as (
    select
        int_batch_rule_lists.batch_id,
        int_batch_rule_lists.source,
        int_batch_rule_lists.type,
        int_batch_rule_lists.record_count,
        broken_rules.rule
    from int_batch_rule_lists
    {{ cross_join_unnest(
        split_text('int_batch_rule_lists.rule_list', ','), 'broken_rules', 'rule'
    ) }}
),

{# A field is missing or invalid, never both, so no record counts twice for one field. #}
broken_fields as (
    select
        batch_id,
        source,
        type,
        {{ text_after('rule', '_') }} as field,
        cast(sum(record_count) as bigint) as broken_records
    from rules_exploded
    where split_part(rule, '_', 1) in ('missing', 'invalid')
    group by 1, 2, 3, 4
)

select * from broken_fields
