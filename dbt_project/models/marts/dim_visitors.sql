{{ exact(
    key=['visitor_key'],
    affected_by=[
        {'changes_of': 'fct_events', 'columns': ['visitor_key']},
        {'changes_of': 'fct_sessions', 'columns': ['visitor_key']},
    ],
) }}

with

fct_events as (
    select
        visitor_key,
        uid,
        cid,
        original_timestamp
    from {{ ref('fct_events') }}
    where {{ affected(['visitor_key']) }}
),

fct_sessions as (
    select * from {{ ref('fct_sessions') }}
    where {{ affected(['visitor_key']) }}
),

{# A visitor has few users and devices, so the lists are made from far fewer rows than events. #}
devices_summed as (
    select
        visitor_key,
        uid,
        cid,
        count(*) as event_count,
        min(original_timestamp) as first_seen_at,
        max(original_timestamp) as last_seen_at
    from fct_events
    group by 1, 2, 3
),

visitors_summed as (
    select
        visitor_key,
        {{ sorted_texts('uid', 'uid is not null') }} as uids,
        {{ sorted_texts('cid', 'cid is not null') }} as cids,
        cast(sum(event_count) as bigint) as event_count,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from devices_summed
    group by 1
),

sessions_counted as (
    select
        visitor_key,
        count(*) as session_count
    from fct_sessions
    group by 1
),

visitors as (
    select
        visitors_summed.visitor_key,
        visitors_summed.uids,
        visitors_summed.cids,
        visitors_summed.event_count,
        sessions_counted.session_count,
        visitors_summed.event_count > {{ var('sequen_oversized_visitor_events') }} as is_oversized,
        visitors_summed.first_seen_at,
        visitors_summed.last_seen_at
    from visitors_summed
    inner join sessions_counted on visitors_summed.visitor_key = sessions_counted.visitor_key
)

select * from visitors
