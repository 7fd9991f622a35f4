{{ exact(
    key=['session_key'],
    affected_by=[
        {'changes_of': 'fct_events', 'columns': ['session_key']},
        {'changes_of': 'fct_conversions', 'columns': ['session_key']},
    ],
) }}

with

fct_events as (
    select
        session_key,
        visitor_key,
        sid,
        type,
        dwell_ms,
        original_timestamp
    from {{ ref('fct_events') }}
    where {{ affected(['session_key']) }}
),

page_views as (
    select
        id,
        session_key,
        page_type,
        original_timestamp
    from {{ ref('fct_events') }}
    where type = 'page_view' and {{ affected(['session_key']) }}
),

fct_conversions as (
    select * from {{ ref('fct_conversions') }}
    where {{ affected(['session_key']) }}
),

{# Every sid in a given session is its anchor; by inactivity no sid anchors anything. #}
events_summed as (
    select
        session_key,
        max(visitor_key) as visitor_key,
        max(case when '{{ var("sequen_session_rule") }}' = 'given' then sid end) as sid,
        count(*) as event_count,
        count(case when type = 'page_view' then 1 end) as page_view_count,
        count(case when type = 'impression' then 1 end) as impression_count,
        count(case when type = 'click' then 1 end) as click_count,
        count(case when type = 'conversion' then 1 end) as conversion_count,
        coalesce(sum(case when type = 'dwell_time' then dwell_ms end), 0) as dwell_ms,
        min(original_timestamp) as started_at,
        max(original_timestamp) as ended_at
    from fct_events
    group by 1
),

pages_picked as (
    select
        session_key,
        min_by(page_type, {{ ordered_pair('original_timestamp', 'id') }}) as entry_page_type,
        max_by(page_type, {{ ordered_pair('original_timestamp', 'id') }}) as exit_page_type
    from page_views
    group by 1
),

{# A conversion with a value but no currency counts as a currency of its own. #}
values_summed as (
    select
        session_key,
        sum(value) as conversion_value,
        count(distinct currency) + max(case when currency is null then 1 else 0 end) > 1
            as is_mixed_currency
    from fct_conversions
    where value is not null and not is_repeat
    group by 1
),

conversions_counted as (
    select distinct session_key
    from fct_conversions
    where not is_repeat
),

sessions as (
    select
        events_summed.session_key,
        events_summed.visitor_key,
        events_summed.sid,
        case when events_summed.sid is null then 'derived' else 'given' end as session_source,
        pages_picked.entry_page_type,
        pages_picked.exit_page_type,
        events_summed.event_count,
        events_summed.page_view_count,
        events_summed.impression_count,
        events_summed.click_count,
        events_summed.conversion_count,
        cast(events_summed.dwell_ms as decimal(38, 6)) as dwell_ms,
        {{ millionths_as_decimal(
            epoch_micros('events_summed.ended_at')
            ~ ' - ' ~ epoch_micros('events_summed.started_at')
        ) }} as duration_seconds,
        cast(
            case when not values_summed.is_mixed_currency then values_summed.conversion_value end
            as decimal(38, 6)
        ) as conversion_value,
        conversions_counted.session_key is not null as is_converted,
        coalesce(values_summed.is_mixed_currency, false) as is_mixed_currency,
        events_summed.started_at,
        events_summed.ended_at
    from events_summed
    left join pages_picked on events_summed.session_key = pages_picked.session_key
    left join conversions_counted on events_summed.session_key = conversions_counted.session_key
    left join values_summed on events_summed.session_key = values_summed.session_key
)

select * from sessions
