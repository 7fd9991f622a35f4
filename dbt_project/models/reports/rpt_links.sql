with

int_link_days as (
    select * from {{ ref('int_link_days') }}
),

links_counted as (
    select
        coalesce(source, '(all)') as source,
        link,
        status,
        sum(event_count) as event_count
    from int_link_days
    group by grouping sets ((source, link, status), (link, status))
),

links_totalled as (
    select
        source,
        link,
        sum(event_count) as event_count
    from links_counted
    group by 1, 2
),

links_with_shares as (
    select
        links_counted.source,
        links_counted.link,
        links_counted.status,
        cast(links_counted.event_count as bigint) as event_count,
        cast(links_counted.event_count as double)
        / cast(links_totalled.event_count as double) as share_of_link
    from links_counted
    inner join links_totalled
        on
            links_counted.source = links_totalled.source
            and links_counted.link = links_totalled.link
)

select * from links_with_shares
