with

int_breakdown_groups as (
    select * from {{ ref('int_breakdown_groups') }}
),

int_completeness_groups as (
    select * from {{ ref('int_completeness_groups') }}
),

int_completeness_attributes as (
    select * from {{ ref('int_completeness_attributes') }}
),

attributes_counted as (
    select
        coalesce(int_breakdown_groups.source, '(all)') as source,
        int_breakdown_groups.breakdown,
        int_breakdown_groups.breakdown_value,
        int_completeness_groups.attribute,
        cast(sum(int_breakdown_groups.event_count) as bigint) as applicable_events,
        cast(
            sum(
                case
                    when int_completeness_groups.is_carrying then int_breakdown_groups.event_count
                    else 0
                end
            ) as bigint
        ) as carrying_events,
        min(int_breakdown_groups.first_date) as first_seen_date,
        max(int_breakdown_groups.last_date) as last_seen_date
    from int_breakdown_groups
    inner join int_completeness_groups
        on int_breakdown_groups.group_key = int_completeness_groups.group_key
    group by grouping sets (
        (
            int_breakdown_groups.source, int_breakdown_groups.breakdown,
            int_breakdown_groups.breakdown_value, int_completeness_groups.attribute
        ),
        (
            int_breakdown_groups.breakdown, int_breakdown_groups.breakdown_value,
            int_completeness_groups.attribute
        )
    )
),

attributes_covered as (
    select
        attributes_counted.source,
        attributes_counted.breakdown,
        attributes_counted.breakdown_value,
        attributes_counted.attribute,
        int_completeness_attributes.tier,
        attributes_counted.applicable_events,
        attributes_counted.carrying_events,
        cast(attributes_counted.carrying_events as double)
        / attributes_counted.applicable_events as coverage,
        attributes_counted.first_seen_date,
        attributes_counted.last_seen_date
    from attributes_counted
    inner join int_completeness_attributes
        on attributes_counted.attribute = int_completeness_attributes.attribute
)

select * from attributes_covered
