{{ exact(
    key=['batch_id', 'type', 'rule', 'field'],
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

rules_exploded as (
    select
        stg_quarantined_events.batch_id,
        coalesce(stg_quarantined_events.type, '(none)') as type,
        stg_quarantined_events.raw,
        broken_rules.rule
    from stg_quarantined_events
    {{ cross_join_unnest('stg_quarantined_events.rules', 'broken_rules', 'rule') }}
),

{# What a record has instead of what it misses. A key may hold anything; only names are kept. #}
keys_exploded as (
    select
        rules_exploded.batch_id,
        rules_exploded.type,
        rules_exploded.rule,
        record_keys.field
    from rules_exploded
    {{ cross_join_unnest(
        json_keys_if_readable('rules_exploded.raw'), 'record_keys', 'field'
    ) }}
    where
        split_part(rules_exploded.rule, '_', 1) = 'missing'
        and {{ matches('record_keys.field', '[A-Za-z_][A-Za-z_.-]{0,39}') }}
),

keys_counted as (
    select
        keys_exploded.batch_id,
        stg_batches.source,
        keys_exploded.type,
        keys_exploded.rule,
        keys_exploded.field,
        count(*) as record_count
    from keys_exploded
    inner join stg_batches on keys_exploded.batch_id = stg_batches.batch_id
    group by 1, 2, 3, 4, 5
)

select * from keys_counted
