{{ exact(
    key=['source', 'day'],
    scope=['day'],
    affected_by=[{'rows_of': 'int_affected_session_days', 'columns': ['day']}],
) }}

with

int_session_sources as (
    select * from {{ ref('int_session_sources') }}
    where {{ affected(['session_date']) }}
),

{# A session of two sources is one session of (all): there it counts with the first of them. #}
sessions_united as (
    select * from int_session_sources

    union all

    select
        session_key,
        '(all)' as source,
        is_first_source,
        is_given,
        has_impression,
        has_click,
        has_conversion,
        session_date
    from int_session_sources
    where is_first_source
),

funnel_by_day as (
    select
        source,
        count(*) as session_count,
        count(case when is_given then 1 end) as given_session_count,
        count(case when has_impression then 1 end) as impression_session_count,
        count(case when has_click then 1 end) as click_session_count,
        count(case when has_conversion then 1 end) as conversion_session_count,
        session_date as day
    from sessions_united
    group by 1, 7
)

select * from funnel_by_day
