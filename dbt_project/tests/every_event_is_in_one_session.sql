{#- Dagster shows the test as a check of this one of its tables. -#}
{{ config(meta={"dagster": {"ref": {"name": "fct_events"}}}) }}
{# An event whose session is not there, or belongs to another visitor, is in none. #}
with

fct_events as (
    select * from {{ ref('fct_events') }}
    where
        {{ changed('fct_events', ['session_key']) }}
        or {{ changed('fct_sessions', ['session_key']) }}
),

fct_sessions as (
    select * from {{ ref('fct_sessions') }}
),

events_without_session as (
    select fct_events.id
    from fct_events
    left join fct_sessions
        on
            fct_events.session_key = fct_sessions.session_key
            and fct_events.visitor_key = fct_sessions.visitor_key
    where fct_sessions.session_key is null
)

select * from events_without_session
