{{ exact(
    key=['batch_id', 'type', 'rule_list'],
    scope=['batch_id'],
    affected_by=[{'rows_of': 'stg_affected_batches', 'columns': ['batch_id']}],
) }}

with

stg_batches as (
    select * from {{ ref('stg_batches') }}
),

stg_quarantined_events as (
    select * from {{ ref('stg_quarantined_events') }}
    where {{ affected(['batch_id']) }}
),

{# Few distinct lists of rules: counting them first keeps a batch that is all bad cheap. #}
rule_lists_counted as (
    select
        batch_id,
        coalesce(type, '(none)') as type,
        {{ joined_texts('rules', ',') }} as rule_list,
        count(*) as record_count
    from stg_quarantined_events
    group by 1, 2, 3
),

rule_lists_of_sources as (
    select
        rule_lists_counted.batch_id,
        stg_batches.source,
        rule_lists_counted.type,
        rule_lists_counted.rule_list,
        rule_lists_counted.record_count
    from rule_lists_counted
    inner join stg_batches on rule_lists_counted.batch_id = stg_batches.batch_id
)

select * from rule_lists_of_sources
