{{ exact(
    key=['session_key', 'source'],
    scope=['session_key'],
    affected_by=[
        {'changes_of': 'fct_events', 'columns': ['session_key']},
        {'changes_of': 'fct_sessions', 'columns': ['session_key']},
        {'changes_of': 'fct_conversions', 'columns': ['session_key']},
    ],
) }}

with

events_of_sources as (
    select
        session_key,
        source
    from {{ ref('fct_events') }}
    where {{ affected(['session_key']) }}
),

events_of_steps as (
    select
        session_key,
        type,
        original_timestamp
    from {{ ref('fct_events') }}
    where type in ('impression', 'click') and {{ affected(['session_key']) }}
),

fct_conversions as (
    select
        session_key,
        original_timestamp
    from {{ ref('fct_conversions') }}
    where not is_repeat and {{ affected(['session_key']) }}
),

fct_sessions as (
    select * from {{ ref('fct_sessions') }}
    where {{ affected(['session_key']) }}
),

first_impressions as (
    select
        session_key,
        min(original_timestamp) as first_impression_at
    from events_of_steps
    where type = 'impression'
    group by 1
),

first_clicks_after_impression as (
    select
        events_of_steps.session_key,
        min(events_of_steps.original_timestamp) as first_click_at
    from events_of_steps
    inner join first_impressions
        on
            events_of_steps.session_key = first_impressions.session_key
            and events_of_steps.original_timestamp >= first_impressions.first_impression_at
    where events_of_steps.type = 'click'
    group by 1
),

sessions_converted_after_click as (
    select distinct fct_conversions.session_key
    from fct_conversions
    inner join first_clicks_after_impression
        on
            fct_conversions.session_key = first_clicks_after_impression.session_key
            and fct_conversions.original_timestamp >= first_clicks_after_impression.first_click_at
),

sources_of_sessions as (
    select distinct
        session_key,
        source
    from events_of_sources
),

{# The steps are those of the whole session, whichever of its sources sent them. #}
sessions_stepped as (
    select
        sources_of_sessions.session_key,
        sources_of_sessions.source,
        sources_of_sessions.source = min(sources_of_sessions.source) over (
            partition by sources_of_sessions.session_key
        ) as is_first_source,
        fct_sessions.session_source = 'given' as is_given,
        first_impressions.session_key is not null as has_impression,
        first_clicks_after_impression.session_key is not null as has_click,
        sessions_converted_after_click.session_key is not null as has_conversion,
        cast(fct_sessions.started_at as date) as session_date
    from sources_of_sessions
    inner join fct_sessions on sources_of_sessions.session_key = fct_sessions.session_key
    left join first_impressions
        on sources_of_sessions.session_key = first_impressions.session_key
    left join first_clicks_after_impression
        on sources_of_sessions.session_key = first_clicks_after_impression.session_key
    left join sessions_converted_after_click
        on sources_of_sessions.session_key = sessions_converted_after_click.session_key
)

select * from sessions_stepped
