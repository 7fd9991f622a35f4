with

stg_batches as (
    select * from {{ ref('stg_batches') }}
),

int_event_groups as (
    select * from {{ ref('int_event_groups') }}
),

days_counted as (
    select
        coalesce(source, '(all)') as source,
        event_date,
        sum(event_count) as event_count
    from int_event_groups
    group by grouping sets ((source, event_date), (event_date))
),

days_accumulated as (
    select
        source,
        event_date,
        event_count,
        sum(event_count) over (
            partition by source
            order by event_count, event_date
            rows between unbounded preceding and current row
        ) as events_so_far,
        sum(event_count) over (partition by source) as events_in_all
    from days_counted
),

{# The size at which the days, from the smallest on, hold half of all events. #}
usual_days as (
    select
        source,
        min(event_count) as usual_event_count
    from days_accumulated
    where events_so_far * 2 >= events_in_all
    group by 1
),

{# A clock that runs ahead must not move the period: a day with hardly any events is none. #}
latest_days as (
    select
        days_counted.source,
        max(days_counted.event_date) as latest_event_date,
        max(
            case
                when
                    days_counted.event_count >= 2
                    and days_counted.event_count * 10 > usual_days.usual_event_count
                    then days_counted.event_date
            end
        ) as latest_usual_date
    from days_counted
    inner join usual_days on days_counted.source = usual_days.source
    group by 1
),

counts_of_current_batches as (
    select
        source,
        sum(accepted) as accepted,
        sum(quarantined) as quarantined
    from stg_batches
    where is_current
    group by 1
),

sources_named as (
    select source from latest_days
    union distinct
    select source from counts_of_current_batches
    union distinct
    select '(all)' as source
),

counts_summed as (
    select
        coalesce(source, '(all)') as source,
        sum(accepted) as accepted,
        sum(quarantined) as quarantined
    from counts_of_current_batches
    group by grouping sets ((source), ())
),

sources_with_counts as (
    select
        sources_named.source,
        cast(coalesce(counts_summed.accepted, 0) as bigint) as accepted,
        cast(coalesce(counts_summed.quarantined, 0) as bigint) as quarantined,
        latest_days.latest_event_date,
        coalesce(latest_days.latest_usual_date, latest_days.latest_event_date) as recent_to_date
    from sources_named
    left join counts_summed on sources_named.source = counts_summed.source
    left join latest_days on sources_named.source = latest_days.source
),

recent_period_bounded as (
    select
        source,
        accepted,
        quarantined,
        latest_event_date,
        {{ days_before('recent_to_date', var('sequen_recent_days') ~ ' - 1') }}
            as recent_from_date,
        recent_to_date
    from sources_with_counts
)

select * from recent_period_bounded
