with

int_completeness_days as (
    select * from {{ ref('int_completeness_days') }}
),

int_completeness_attributes as (
    select * from {{ ref('int_completeness_attributes') }}
),

days_with_coverage as (
    select
        int_completeness_days.source,
        int_completeness_days.attribute,
        int_completeness_attributes.tier,
        int_completeness_attributes.kind,
        int_completeness_days.applicable_events,
        int_completeness_days.carrying_events,
        int_completeness_days.session_count,
        int_completeness_days.matching_session_count,
        case
            when int_completeness_attributes.kind = 'event'
                then
                    cast(int_completeness_days.matching_session_count as double)
                    / nullif(int_completeness_days.session_count, 0)
            else
                cast(int_completeness_days.carrying_events as double)
                / nullif(int_completeness_days.applicable_events, 0)
        end as coverage,
        int_completeness_days.day
    from int_completeness_days
    inner join int_completeness_attributes
        on int_completeness_days.attribute = int_completeness_attributes.attribute
)

select * from days_with_coverage
