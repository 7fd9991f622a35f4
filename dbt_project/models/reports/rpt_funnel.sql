with

int_funnel_days as (
    select * from {{ ref('int_funnel_days') }}
),

sessions_summed as (
    select
        source,
        cast(sum(session_count) as bigint) as session_count,
        cast(sum(impression_session_count) as bigint) as impression_session_count,
        cast(sum(click_session_count) as bigint) as click_session_count,
        cast(sum(conversion_session_count) as bigint) as conversion_session_count
    from int_funnel_days
    group by 1
),

steps_united as (
    select
        source,
        'session' as step,
        1 as step_number,
        session_count,
        session_count as first_session_count,
        session_count as previous_session_count
    from sessions_summed
    union all
    select
        source,
        'impression' as step,
        2 as step_number,
        impression_session_count as session_count,
        session_count as first_session_count,
        session_count as previous_session_count
    from sessions_summed
    union all
    select
        source,
        'click' as step,
        3 as step_number,
        click_session_count as session_count,
        session_count as first_session_count,
        impression_session_count as previous_session_count
    from sessions_summed
    union all
    select
        source,
        'conversion' as step,
        4 as step_number,
        conversion_session_count as session_count,
        session_count as first_session_count,
        click_session_count as previous_session_count
    from sessions_summed
),

steps_with_shares as (
    select
        source,
        step,
        step_number,
        session_count,
        cast(session_count as double) / nullif(first_session_count, 0) as share_of_first,
        cast(session_count as double) / nullif(previous_session_count, 0) as share_of_previous
    from steps_united
)

select * from steps_with_shares
