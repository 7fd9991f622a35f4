with

stg_batches as (
    select * from {{ ref('stg_batches') }}
),

int_event_groups as (
    select * from {{ ref('int_event_groups') }}
),

latest_days as (
    select
        source,
        max(event_date) as latest_event_date
    from int_event_groups
    group by 1
),

books_of_current_batches as (
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
    select source from books_of_current_batches
),

sources_with_books as (
    select
        sources_named.source,
        coalesce(books_of_current_batches.accepted, 0) as accepted,
        coalesce(books_of_current_batches.quarantined, 0) as quarantined,
        latest_days.latest_event_date
    from sources_named
    left join books_of_current_batches on sources_named.source = books_of_current_batches.source
    left join latest_days on sources_named.source = latest_days.source
),

all_sources as (
    select
        '(all)' as source,
        coalesce(sum(accepted), 0) as accepted,
        coalesce(sum(quarantined), 0) as quarantined,
        max(latest_event_date) as latest_event_date
    from sources_with_books
),

sources_united as (
    select * from sources_with_books
    union all
    select * from all_sources
),

recent_period_bounded as (
    select
        source,
        cast(accepted as bigint) as accepted,
        cast(quarantined as bigint) as quarantined,
        latest_event_date,
        {{ days_before('latest_event_date', var('sequen_recent_days') ~ ' - 1') }}
            as recent_from_date
    from sources_united
)

select * from recent_period_bounded
