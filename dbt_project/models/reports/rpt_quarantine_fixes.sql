with

int_batch_rule_lists as (
    select * from {{ ref('int_batch_rule_lists') }}
),

int_reported_sources as (
    select * from {{ ref('int_reported_sources') }}
),

{# A record is fixed where every rule that it breaks is about this one field. #}
rules_exploded as (
    select
        int_batch_rule_lists.source,
        int_batch_rule_lists.type,
        broken_rules.rule,
        int_batch_rule_lists.record_count,
        int_batch_rule_lists.rule_list = broken_rules.rule as is_only_rule
    from int_batch_rule_lists
    {{ cross_join_unnest(
        split_text('int_batch_rule_lists.rule_list', ','), 'broken_rules', 'rule'
    ) }}
),

rules_counted as (
    select
        coalesce(source, '(all)') as source,
        type,
        rule,
        cast(sum(record_count) as bigint) as quarantined_records,
        cast(sum(case when is_only_rule then record_count else 0 end) as bigint) as fixable_records
    from rules_exploded
    group by grouping sets ((source, type, rule), (type, rule))
),

shares_computed as (
    select
        rules_counted.source,
        rules_counted.type,
        rules_counted.rule,
        rules_counted.quarantined_records,
        rules_counted.fixable_records,
        cast(int_reported_sources.accepted as double)
        / (int_reported_sources.accepted + int_reported_sources.quarantined) as accepted_share,
        cast(int_reported_sources.accepted + rules_counted.fixable_records as double)
        / (int_reported_sources.accepted + int_reported_sources.quarantined)
            as accepted_share_after,
        (int_reported_sources.accepted + rules_counted.fixable_records) * 100
        >= {{ var('sequen_min_accepted_percent') }}
        * (int_reported_sources.accepted + int_reported_sources.quarantined)
            as is_accepted_share_met_after
    from rules_counted
    inner join int_reported_sources on rules_counted.source = int_reported_sources.source
)

select * from shares_computed
