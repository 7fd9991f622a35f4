{{ exact(
    key=['session_key', 'source'],
    scope=['session_key'],
    touched_by=['fct_events.session_key', 'fct_sessions.session_key'],
) }}

with

fct_events as (
    select * from {{ ref('fct_events') }}
    where {{ touched(['session_key']) }}
),

fct_sessions as (
    select * from {{ ref('fct_sessions') }}
    where {{ touched(['session_key']) }}
),

sources_of_sessions as (
    select
        session_key,
        source,
        min(case when type = 'impression' then original_timestamp end) as first_impression_at
    from fct_events
    group by 1, 2
),

sessions_dated as (
    select
        sources_of_sessions.session_key,
        sources_of_sessions.source,
        cast(fct_sessions.started_at as date) as session_date,
        sources_of_sessions.first_impression_at
    from sources_of_sessions
    inner join fct_sessions on sources_of_sessions.session_key = fct_sessions.session_key
)

select * from sessions_dated
