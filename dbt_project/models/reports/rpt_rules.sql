{{ config(materialized='view') }}

with

rpt_violations as (
    select * from {{ ref('rpt_violations') }}
    where is_current
),

files_counted as (
    select
        source,
        path,
        severity,
        rule,
        sum(records) as records
    from rpt_violations
    group by 1, 2, 3, 4
),

files_reported as (
    select
        source as reported_source,
        *
    from files_counted

    union all

    select
        '(all)' as reported_source,
        *
    from files_counted
),

files_ranked as (
    select
        *,
        sum(records) over (partition by reported_source, severity, rule) as all_records,
        count(*) over (partition by reported_source, severity, rule) as file_count,
        row_number() over (
            partition by reported_source, severity, rule
            order by records desc, source asc, path asc
        ) as file_number
    from files_reported
),

rules_counted as (
    select
        reported_source as source,
        severity,
        rule,
        cast(all_records as bigint) as records,
        cast(file_count as bigint) as file_count,
        path as worst_path,
        cast(records as bigint) as worst_records
    from files_ranked
    where file_number = 1
)

select * from rules_counted
