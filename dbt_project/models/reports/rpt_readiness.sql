with

int_readiness_counts as (
    select * from {{ ref('int_readiness_counts') }}
),

int_reported_sources as (
    select * from {{ ref('int_reported_sources') }}
),

readiness_thresholds as (
    select * from {{ ref('readiness_thresholds') }}
),

periods as (
    select 'recent' as period
    union all
    select 'all' as period
),

requirements_counted as (
    select
        int_reported_sources.source,
        periods.period,
        readiness_thresholds.use_case,
        readiness_thresholds.metric,
        readiness_thresholds.missing,
        readiness_thresholds.reason,
        readiness_thresholds.requirement_number,
        readiness_thresholds.threshold,
        readiness_thresholds.min_count,
        coalesce(int_readiness_counts.have_count, 0) as have_count,
        coalesce(int_readiness_counts.total_count, 0) as total_count
    from int_reported_sources
    cross join periods
    cross join readiness_thresholds
    left join int_readiness_counts
        on
            int_reported_sources.source = int_readiness_counts.source
            and periods.period = int_readiness_counts.period
            and readiness_thresholds.metric = int_readiness_counts.metric
),

requirements_met as (
    select
        *,
        have_count >= min_count and have_count >= threshold * total_count as is_met
    from requirements_counted
),

use_cases_met as (
    select
        source,
        period,
        use_case,
        min(case when not is_met then requirement_number end) as missing_requirement_number
    from requirements_met
    group by 1, 2, 3
),

readiness_decided as (
    select
        requirements_met.source,
        requirements_met.period,
        requirements_met.use_case,
        requirements_met.metric,
        case when not requirements_met.is_met then requirements_met.missing end as missing,
        requirements_met.reason,
        requirements_met.requirement_number,
        requirements_met.have_count,
        requirements_met.total_count,
        requirements_met.min_count,
        cast(requirements_met.have_count as double)
        / nullif(requirements_met.total_count, 0) as share,
        cast(requirements_met.threshold as double) as threshold,
        requirements_met.is_met,
        use_cases_met.missing_requirement_number is null as is_ready,
        coalesce(
            requirements_met.requirement_number = use_cases_met.missing_requirement_number, false
        ) as is_first_missing
    from requirements_met
    inner join use_cases_met
        on
            requirements_met.source = use_cases_met.source
            and requirements_met.period = use_cases_met.period
            and requirements_met.use_case = use_cases_met.use_case
)

select * from readiness_decided
