with

int_completeness_attributes as (
    select * from {{ ref('int_completeness_attributes') }}
),

int_completeness_days as (
    select * from {{ ref('int_completeness_days') }}
),

int_reported_sources as (
    select * from {{ ref('int_reported_sources') }}
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

attributes_of_periods as (
    select
        periods.source,
        periods.period,
        periods.from_date,
        periods.to_date,
        int_completeness_attributes.attribute,
        int_completeness_attributes.tier,
        int_completeness_attributes.kind,
        int_completeness_attributes.why,
        int_completeness_attributes.fix,
        int_completeness_attributes.example,
        int_completeness_attributes.threshold,
        int_completeness_attributes.min_events,
        int_completeness_attributes.is_waived
    from periods
    cross join int_completeness_attributes
),

days_summed as (
    select
        attributes_of_periods.source,
        attributes_of_periods.period,
        attributes_of_periods.attribute,
        cast(coalesce(sum(int_completeness_days.applicable_events), 0) as bigint)
            as applicable_events,
        cast(coalesce(sum(int_completeness_days.carrying_events), 0) as bigint)
            as carrying_events,
        cast(coalesce(sum(int_completeness_days.session_count), 0) as bigint) as session_count,
        cast(coalesce(sum(int_completeness_days.matching_session_count), 0) as bigint)
            as matching_session_count
    from attributes_of_periods
    left join int_completeness_days
        on
            attributes_of_periods.source = int_completeness_days.source
            and attributes_of_periods.attribute = int_completeness_days.attribute
            and (
                attributes_of_periods.period = 'all'
                or int_completeness_days.day
                between attributes_of_periods.from_date and attributes_of_periods.to_date
            )
    group by 1, 2, 3
),

statuses_decided as (
    select
        attributes_of_periods.source,
        attributes_of_periods.period,
        attributes_of_periods.attribute,
        attributes_of_periods.tier,
        attributes_of_periods.kind,
        {{ attribute_status(
            'attributes_of_periods.kind', 'days_summed.carrying_events',
            'days_summed.applicable_events', 'attributes_of_periods.threshold',
            'attributes_of_periods.min_events'
        ) }} as status,
        attributes_of_periods.why,
        attributes_of_periods.fix,
        attributes_of_periods.example,
        days_summed.applicable_events,
        days_summed.carrying_events,
        attributes_of_periods.min_events,
        days_summed.session_count,
        days_summed.matching_session_count,
        case
            when attributes_of_periods.kind = 'event'
                then
                    cast(days_summed.matching_session_count as double)
                    / nullif(days_summed.session_count, 0)
            else
                cast(days_summed.carrying_events as double)
                / nullif(days_summed.applicable_events, 0)
        end as coverage,
        cast(attributes_of_periods.threshold as double) as threshold,
        attributes_of_periods.is_waived,
        attributes_of_periods.from_date,
        attributes_of_periods.to_date
    from attributes_of_periods
    inner join days_summed
        on
            attributes_of_periods.source = days_summed.source
            and attributes_of_periods.period = days_summed.period
            and attributes_of_periods.attribute = days_summed.attribute
)

select * from statuses_decided
