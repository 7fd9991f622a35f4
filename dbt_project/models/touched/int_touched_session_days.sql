{# Days whose sessions may count differently now. #}
with

changed_events as (
    select * from {{ changes('fct_events') }}
),

changed_session_sources as (
    select * from {{ changes('int_session_sources') }}
),

changed_matches as (
    select * from {{ changes('int_completeness_matches') }}
),

changed_sessions as (
    select session_key
    from changed_events

    union distinct

    select session_key
    from changed_matches
),

days_touched as (
    select session_date as day
    from changed_session_sources

    union distinct

    select session_date as day
    from {{ ref('int_session_sources') }}
    where session_key in (select changed_sessions.session_key from changed_sessions)
)

select * from days_touched
