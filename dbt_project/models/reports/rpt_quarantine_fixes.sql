with

int_batch_rule_lists as (
    select * from {{ ref('int_batch_rule_lists') }}
),

int_reported_sources as (
    select * from {{ ref('int_reported_sources') }}
),

stg_batches as (
    select * from {{ ref('stg_batches') }}
),

{# A file that could not be read breaks one rule, in one record that stands for all it holds. #}
unread_files_marked as (
    select
        int_batch_rule_lists.source,
        int_batch_rule_lists.type,
        int_batch_rule_lists.rule_list,
        int_batch_rule_lists.record_count,
        stg_batches.file_bytes,
        {{ is_file_rule('int_batch_rule_lists.rule_list') }} as is_unread
    from int_batch_rule_lists
    inner join stg_batches on int_batch_rule_lists.batch_id = stg_batches.batch_id
),

{# Each quarantined record is in one list of rules: nothing is left out and nothing added twice. #}
rule_lists_counted as (
    select
        coalesce(source, '(all)') as source,
        type,
        rule_list,
        cast(sum(record_count) as bigint) as fixable_records,
        cast(sum(case when is_unread then record_count else 0 end) as bigint) as unread_files,
        cast(sum(case when is_unread then file_bytes else 0 end) as bigint) as unread_bytes
    from unread_files_marked
    group by grouping sets ((source, type, rule_list), (type, rule_list))
),

fixes_ranked as (
    select
        rule_lists_counted.source,
        rule_lists_counted.type,
        {{ split_text('rule_lists_counted.rule_list', ',') }} as rules,
        row_number() over (
            partition by rule_lists_counted.source
            order by
                rule_lists_counted.unread_bytes desc,
                rule_lists_counted.unread_files desc,
                rule_lists_counted.fixable_records desc,
                rule_lists_counted.type asc,
                rule_lists_counted.rule_list asc
        ) as fix_number,
        rule_lists_counted.fixable_records,
        rule_lists_counted.unread_files,
        rule_lists_counted.unread_bytes,
        int_reported_sources.accepted,
        int_reported_sources.accepted + int_reported_sources.quarantined as validated,
        {# How many records a file would add that could not be read is unknown. #}
        case
            when rule_lists_counted.unread_files = 0
                then int_reported_sources.accepted + rule_lists_counted.fixable_records
        end as accepted_after
    from rule_lists_counted
    inner join int_reported_sources on rule_lists_counted.source = int_reported_sources.source
),

shares_computed as (
    select
        source,
        type,
        rules,
        fix_number,
        fixable_records,
        unread_files,
        unread_bytes,
        cast(accepted as double) / validated as accepted_share,
        cast(accepted_after as double) / validated as accepted_share_after,
        accepted_after * 100 >= {{ var('sequen_min_accepted_percent') }} * validated
            as is_accepted_share_met_after
    from fixes_ranked
)

select * from shares_computed
