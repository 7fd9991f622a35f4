with

int_lateness_days as (
    select * from {{ ref('int_lateness_days') }}
),

lateness_counted as (
    select
        coalesce(source, '(all)') as source,
        type,
        lateness_seconds,
        sum(event_count) as event_count,
        sum(late_event_count) as late_event_count
    from int_lateness_days
    group by grouping sets ((source, type, lateness_seconds), (type, lateness_seconds))
),

lateness_cumulated as (
    select
        source,
        type,
        lateness_seconds,
        late_event_count,
        event_count,
        sum(event_count) over (
            partition by source, type
            order by lateness_seconds
            rows between unbounded preceding and current row
        ) as events_up_to_here,
        sum(event_count) over (partition by source, type) as events_of_type
    from lateness_counted
),

{# Nearest rank: the least lateness that at least so many percent of the events do not exceed. #}
quantiles_picked as (
    select
        source,
        type,
        cast(sum(event_count) as bigint) as event_count,
        cast(sum(late_event_count) as bigint) as late_event_count,
        {%- for percent in [50, 95, 99] %}
            min(
                case
                    when events_up_to_here * 100 >= {{ percent }} * events_of_type
                        then lateness_seconds
                end
            ) as p{{ percent }}_lateness_seconds,
        {%- endfor %}
        max(lateness_seconds) as max_lateness_seconds,
        cast(sum(late_event_count) as double) / cast(sum(event_count) as double) as late_share
    from lateness_cumulated
    group by 1, 2
)

select * from quantiles_picked
