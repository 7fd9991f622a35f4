{#
  History: a row stays as it was written, through full refreshes too. Rows of builds that did not run
  through go, since the next build counts the same changes again.
#}
{{ config(
    materialized='history',
    pre_hook="{{ forget_unfinished_builds() }}",
) }}

with

{# The build that is running; a `dbt build` by hand is none, and leaves the history as it is. #}
builds as (
    select * from {{ source('raw', 'builds') }}
    where not is_finished
),

events_before as (
    select
        id,
        session_key
    from {{ changes_since('fct_events', ['id', 'session_key'], is_new=false) }} as gone
),

events_now as (
    select
        id,
        session_key
    from {{ changes_since('fct_events', ['id', 'session_key'], is_new=true) }} as come
),

sessions_before as (
    select
        session_key,
        event_count
    from {{ changes_since('fct_sessions', ['session_key', 'event_count'], is_new=false) }} as gone
),

sessions_now as (
    select
        session_key,
        event_count
    from {{ changes_since('fct_sessions', ['session_key', 'event_count'], is_new=true) }} as come
),

attributions_before as (
    select * from {{ changes_since('fct_attributions', [
        'conversion_id', 'item_id', 'touch_id', 'currency', 'last_touch_value',
        'first_touch_credit', 'last_touch_credit', 'linear_credit', 'position_based_credit',
        'time_decay_credit',
    ], is_new=false) }} as gone
),

{# A session that is gone was merged where an event of it lives on in another. #}
sessions_living_on as (
    select distinct events_before.session_key
    from events_before
    inner join events_now on events_before.id = events_now.id
),

sessions_compared as (
    select
        count(case when sessions_before.session_key is null then 1 end) as sessions_created,
        count(case when sessions_now.event_count > sessions_before.event_count then 1 end)
            as sessions_extended,
        count(case when sessions_now.event_count < sessions_before.event_count then 1 end)
            as sessions_reduced,
        count(
            case
                when
                    sessions_now.session_key is null
                    and sessions_living_on.session_key is not null
                    then 1
            end
        ) as sessions_merged,
        count(
            case
                when
                    sessions_now.session_key is null and sessions_living_on.session_key is null
                    then 1
            end
        ) as sessions_removed
    from sessions_before
    full outer join sessions_now on sessions_before.session_key = sessions_now.session_key
    left join sessions_living_on
        on sessions_before.session_key = sessions_living_on.session_key
),

units_before as (
    select distinct
        conversion_id,
        item_id
    from attributions_before
),

units_counted as (
    select count(*) as attributions_moved
    from units_before
),

{# A conversion with a value but no currency counts as a currency of its own. #}
values_summed as (
    select
        sum(abs(last_touch_value)) as value_moved,
        coalesce(
            count(distinct currency) + max(case when currency is null then 1 else 0 end) > 1, false
        ) as is_mixed_currency
    from attributions_before
    where last_touch_credit > 0 and last_touch_value is not null
),

latest_build as (
    select
        max(build_number) as build_number,
        max_by(is_full, build_number) as is_full
    from builds
    having count(*) > 0
),

restatements as (
    select
        latest_build.build_number as publication,
        latest_build.is_full as is_full_refresh,
        {%- for count in [
            'sessions_created', 'sessions_extended', 'sessions_reduced', 'sessions_merged',
            'sessions_removed',
        ] %}
            case when not latest_build.is_full then sessions_compared.{{ count }} end
                as {{ count }},
        {%- endfor %}
        case when not latest_build.is_full then units_counted.attributions_moved end
            as attributions_moved,
        cast(
            case
                when not latest_build.is_full and not values_summed.is_mixed_currency
                    then coalesce(values_summed.value_moved, 0)
            end as decimal(38, 6)
        ) as value_moved,
        not latest_build.is_full and values_summed.is_mixed_currency as is_mixed_currency
    from latest_build
    cross join sessions_compared
    cross join units_counted
    cross join values_summed
)

select * from restatements
