{#- Dagster shows the test as a check of this one of its tables. -#}
{{ config(meta={"dagster": {"ref": {"name": "rpt_quarantine_fixes"}}}) }}
with

rpt_quarantine_fixes as (
    select * from {{ ref('rpt_quarantine_fixes') }}
),

rpt_batches as (
    select * from {{ ref('rpt_batches') }}
    where is_current
),

records_of_fixes as (
    select
        source,
        sum(fixable_records) as fixable_records
    from rpt_quarantine_fixes
    where source <> '(all)'
    group by 1
),

records_of_batches as (
    select
        source,
        sum(quarantined) as quarantined
    from rpt_batches
    group by 1
    having sum(quarantined) > 0
),

sources_with_a_difference as (
    select
        coalesce(records_of_batches.source, records_of_fixes.source) as source,
        records_of_batches.quarantined,
        records_of_fixes.fixable_records
    from records_of_batches
    full outer join records_of_fixes on records_of_batches.source = records_of_fixes.source
    where
        coalesce(records_of_batches.quarantined, 0)
        <> coalesce(records_of_fixes.fixable_records, 0)
)

select * from sources_with_a_difference
