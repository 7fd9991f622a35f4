{# Compared is the last day that is over, as far as the data shows: the one before the latest. #}
with

rpt_volumes as (
    select * from {{ ref('rpt_volumes') }}
),

day_compared as (
    select {{ days_before('max(day)', 1) }} as compared_day
    from rpt_volumes
),

volumes_of_sources as (
    select
        source,
        'source' as scope,
        '(all)' as type,
        sum(event_count) as event_count,
        day
    from rpt_volumes
    group by 1, 5

    union all

    select
        source,
        'type' as scope,
        type,
        event_count,
        day
    from rpt_volumes
),

{# Up to four weeks back, but only weeks in which the type was already there. #}
volumes_compared as (
    select
        volumes_of_sources.source,
        volumes_of_sources.scope,
        volumes_of_sources.type,
        day_compared.compared_day,
        sum(
            case
                when volumes_of_sources.day = day_compared.compared_day
                    then volumes_of_sources.event_count
                else 0
            end
        ) as event_count,
        sum(
            case
                when
                    volumes_of_sources.day < day_compared.compared_day
                    and volumes_of_sources.day >= {{ days_before('day_compared.compared_day', 28) }}
                    and {{ day_of_week('volumes_of_sources.day') }}
                    = {{ day_of_week('day_compared.compared_day') }}
                    then volumes_of_sources.event_count
                else 0
            end
        ) as weekday_event_count,
        min(volumes_of_sources.day) as first_seen_date,
        max(volumes_of_sources.day) as last_seen_date
    from volumes_of_sources
    cross join day_compared
    group by 1, 2, 3, 4
),

weeks_counted as (
    select
        *,
        {%- for week in range(1, 5) %}
            case
                when first_seen_date <= {{ days_before('compared_day', 7 * week) }} then 1 else 0
            end
            {%- if not loop.last %} + {%- endif %}
        {%- endfor %} as week_count
    from volumes_compared
),

volume_drops as (
    select
        source,
        scope,
        type,
        case
            when week_count = 0 then 'unknown'
            when event_count = 0 and weekday_event_count > 0 then 'silent'
            when
                event_count * week_count * 100
                < weekday_event_count * {{ var('sequen_low_volume_percent') }}
                then 'low'
            else 'usual'
        end as status,
        cast(event_count as bigint) as event_count,
        cast(week_count as bigint) as week_count,
        cast(weekday_event_count as double) / nullif(week_count, 0) as usual_event_count,
        compared_day,
        first_seen_date,
        last_seen_date
    from weeks_counted
)

select * from volume_drops
