with

int_event_groups as (
    select * from {{ ref('int_event_groups') }}
),

volumes_counted as (
    select
        coalesce(source, '(all)') as source,
        type,
        cast(sum(event_count) as bigint) as event_count,
        event_date as day
    from int_event_groups
    group by grouping sets ((source, type, event_date), (type, event_date))
)

select * from volumes_counted
