{{ config(materialized='ephemeral') }}
with

int_event_groups as (
    select * from {{ ref('int_event_groups') }}
),

int_funnel_days as (
    select * from {{ ref('int_funnel_days') }}
),

int_link_days as (
    select * from {{ ref('int_link_days') }}
),

int_conversion_days as (
    select * from {{ ref('int_conversion_days') }}
),

int_reported_sources as (
    select * from {{ ref('int_reported_sources') }}
),

rpt_field_coverage as (
    select * from {{ ref('rpt_field_coverage') }}
),

days_of_sources as (
    select
        source,
        'identified_events' as metric,
        case
            when reserved_fields & ({{ reserved_bit('uid') }} + {{ reserved_bit('cid') }}) <> 0
                then event_count
            else 0
        end as have_count,
        event_count as total_count,
        event_date as day
    from int_event_groups

    union all

    select
        source,
        'clicks_linked' as metric,
        case when status = 'none' then 0 else event_count end as have_count,
        event_count as total_count,
        day
    from int_link_days
    where link = 'click_match'

    union all

    select
        source,
        'conversions_attributed' as metric,
        attributed_conversion_count as have_count,
        conversion_count as total_count,
        day
    from int_conversion_days
),

{# A session of two sources is one session of (all), which is why those come counted. #}
days_united as (
    select
        coalesce(source, '(all)') as source,
        metric,
        sum(have_count) as have_count,
        sum(total_count) as total_count,
        day
    from days_of_sources
    group by grouping sets ((source, metric, day), (metric, day))

    union all

    select
        source,
        'sessions_with_sid' as metric,
        given_session_count as have_count,
        session_count as total_count,
        day
    from int_funnel_days
),

periods as (
    select
        source,
        'recent' as period,
        recent_from_date as from_date,
        recent_to_date as to_date
    from int_reported_sources
    union all
    select
        source,
        'all' as period,
        cast(null as date) as from_date,
        cast(null as date) as to_date
    from int_reported_sources
),

{# Records without a readable rank are in quarantine, where no day is known of them. #}
metrics_counted as (
    select
        periods.source,
        periods.period,
        days_united.metric,
        cast(sum(days_united.have_count) as bigint) as have_count,
        cast(sum(days_united.total_count) as bigint) as total_count
    from periods
    inner join days_united
        on
            periods.source = days_united.source
            and (
                periods.period = 'all'
                or days_united.day between periods.from_date and periods.to_date
            )
    group by 1, 2, 3

    union all

    select
        periods.source,
        periods.period,
        'impressions_with_rank' as metric,
        rpt_field_coverage.records_read - rpt_field_coverage.broken_records as have_count,
        rpt_field_coverage.records_read as total_count
    from periods
    inner join rpt_field_coverage on periods.source = rpt_field_coverage.source
    where rpt_field_coverage.type = 'impression' and rpt_field_coverage.field = 'rank'
)

select * from metrics_counted
