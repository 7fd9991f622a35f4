{{ exact(
    key=['source', 'attribute', 'day'],
    scope=['day'],
    affected_by=[
        {'rows_of': 'int_affected_event_days', 'columns': ['day']},
        {'rows_of': 'int_affected_session_days', 'columns': ['day']},
        {'changes_of': 'int_completeness_matches', 'columns': ['event_date']},
    ],
) }}

with

int_completeness_attributes as (
    select * from {{ ref('int_completeness_attributes') }}
),

int_completeness_groups as (
    select * from {{ ref('int_completeness_groups') }}
),

int_completeness_matches as (
    select * from {{ ref('int_completeness_matches') }}
),

int_event_groups as (
    select * from {{ ref('int_event_groups') }}
    where {{ affected(['event_date']) }}
),

int_session_sources as (
    select * from {{ ref('int_session_sources') }}
    where {{ affected(['session_date']) }}
),

{# A field attribute counts events; of kind event only those that match, in carrying_events. #}
events_counted as (
    select
        int_event_groups.source,
        int_event_groups.event_date as day,
        int_completeness_groups.attribute,
        sum(int_event_groups.event_count) as applicable_events,
        sum(
            case
                when int_completeness_groups.is_carrying then int_event_groups.event_count
                else 0
            end
        ) as carrying_events
    from int_event_groups
    inner join int_completeness_groups
        on int_event_groups.group_key = int_completeness_groups.group_key
    group by 1, 2, 3
),

matches_counted as (
    select
        source,
        event_date as day,
        attribute,
        0 as applicable_events,
        count(*) as carrying_events
    from int_completeness_matches
    where {{ affected(['event_date']) }}
    group by 1, 2, 3
),

days_with_events as (
    select distinct
        source,
        event_date as day
    from int_event_groups
),

days_without_counts as (
    select
        days_with_events.source,
        days_with_events.day,
        int_completeness_attributes.attribute,
        0 as applicable_events,
        0 as carrying_events
    from days_with_events
    cross join int_completeness_attributes
),

event_counts_united as (
    select * from events_counted
    union all
    select * from matches_counted
    union all
    select * from days_without_counts
),

event_counts_by_day as (
    select
        coalesce(source, '(all)') as source,
        day,
        attribute,
        sum(applicable_events) as applicable_events,
        sum(carrying_events) as carrying_events,
        0 as session_count,
        0 as matching_session_count
    from event_counts_united
    group by grouping sets ((source, day, attribute), (day, attribute))
),

{# A session of two sources is one session of (all): there it counts with the first of them. #}
sessions_counted as (
    select
        source,
        session_date as day,
        count(*) as session_count
    from int_session_sources
    group by 1, 2

    union all

    select
        '(all)' as source,
        session_date as day,
        count(*) as session_count
    from int_session_sources
    where is_first_source
    group by 2
),

session_counts_by_day as (
    select
        sessions_counted.source,
        sessions_counted.day,
        int_completeness_attributes.attribute,
        0 as applicable_events,
        0 as carrying_events,
        sessions_counted.session_count,
        0 as matching_session_count
    from sessions_counted
    cross join int_completeness_attributes
    where int_completeness_attributes.kind = 'event'
),

sessions_matching as (
    select distinct
        attribute,
        source,
        session_key
    from int_completeness_matches
),

matching_session_counts_by_day as (
    select
        coalesce(int_session_sources.source, '(all)') as source,
        int_session_sources.session_date as day,
        sessions_matching.attribute,
        0 as applicable_events,
        0 as carrying_events,
        0 as session_count,
        count(distinct int_session_sources.session_key) as matching_session_count
    from sessions_matching
    inner join int_session_sources
        on
            sessions_matching.session_key = int_session_sources.session_key
            and sessions_matching.source = int_session_sources.source
    group by grouping sets (
        (int_session_sources.source, int_session_sources.session_date, sessions_matching.attribute),
        (int_session_sources.session_date, sessions_matching.attribute)
    )
),

counts_united as (
    select * from event_counts_by_day
    union all
    select * from session_counts_by_day
    union all
    select * from matching_session_counts_by_day
),

counts_by_day as (
    select
        source,
        attribute,
        cast(sum(applicable_events) as bigint) as applicable_events,
        cast(sum(carrying_events) as bigint) as carrying_events,
        cast(sum(session_count) as bigint) as session_count,
        cast(sum(matching_session_count) as bigint) as matching_session_count,
        day
    from counts_united
    group by 1, 2, 7
)

select * from counts_by_day
