{{ exact(
    key=['source', 'day'],
    scope=['day'],
    touched_by=['int_touched_session_days.day'],
) }}

with

fct_clicks as (
    select * from {{ ref('fct_clicks') }}
),

fct_conversions as (
    select * from {{ ref('fct_conversions') }}
),

int_session_sources as (
    select * from {{ ref('int_session_sources') }}
    where {{ touched(['session_date']) }}
),

first_impressions as (
    select
        session_key,
        min(first_impression_at) as first_impression_at
    from int_session_sources
    where first_impression_at is not null
    group by 1
),

first_clicks_after_impression as (
    select
        fct_clicks.session_key,
        min(fct_clicks.original_timestamp) as first_click_at
    from fct_clicks
    inner join first_impressions
        on
            fct_clicks.session_key = first_impressions.session_key
            and fct_clicks.original_timestamp >= first_impressions.first_impression_at
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

{# The steps are those of the whole session, whichever of its sources sent them. #}
session_steps as (
    select
        int_session_sources.session_key,
        int_session_sources.source,
        int_session_sources.session_date,
        first_impressions.session_key as impression_session_key,
        first_clicks_after_impression.session_key as click_session_key,
        sessions_converted_after_click.session_key as conversion_session_key
    from int_session_sources
    left join first_impressions
        on int_session_sources.session_key = first_impressions.session_key
    left join first_clicks_after_impression
        on int_session_sources.session_key = first_clicks_after_impression.session_key
    left join sessions_converted_after_click
        on int_session_sources.session_key = sessions_converted_after_click.session_key
),

{# A session of two sources is one session of (all), so (all) is counted, not summed. #}
funnel_by_day as (
    select
        coalesce(source, '(all)') as source,
        count(distinct session_key) as session_count,
        count(distinct impression_session_key) as impression_session_count,
        count(distinct click_session_key) as click_session_count,
        count(distinct conversion_session_key) as conversion_session_count,
        session_date as day
    from session_steps
    group by grouping sets ((source, session_date), (session_date))
)

select * from funnel_by_day
