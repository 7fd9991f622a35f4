{{ exact(
    key=['rec_id'],
    affected_by=[
        {'changes_of': 'fct_events', 'columns': ['rec_id']},
        {'changes_of': 'fct_impressions', 'columns': ['rec_id']},
        {'changes_of': 'fct_attributions', 'columns': ['rec_id']},
    ],
) }}

with

fct_events as (
    select
        rec_id,
        type,
        original_timestamp,
        server_timestamp
    from {{ ref('fct_events') }}
    where rec_id is not null and {{ affected(['rec_id']) }}
),

{# The rec_id of an impression is never filled in, so this is the one that was sent. #}
impressions_clicked as (
    select rec_id
    from {{ ref('fct_impressions') }}
    where rec_id is not null and is_clicked and {{ affected(['rec_id']) }}
),

attributions_credited as (
    select
        conversion_id,
        currency,
        rec_id,
        last_touch_value
    from {{ ref('fct_attributions') }}
    where rec_id is not null and last_touch_credit > 0 and {{ affected(['rec_id']) }}
),

events_summed as (
    select
        rec_id,
        count(case when type = 'impression' then 1 end) as impression_count,
        min(server_timestamp) as requested_at,
        min(case when type = 'impression' then original_timestamp end) as first_impression_at
    from fct_events
    group by 1
),

clicks_counted as (
    select
        rec_id,
        count(*) as clicked_impression_count
    from impressions_clicked
    group by 1
),

conversions_counted as (
    select
        rec_id,
        count(distinct conversion_id) as conversion_count
    from attributions_credited
    group by 1
),

{# A conversion with a value but no currency counts as a currency of its own. #}
values_summed as (
    select
        rec_id,
        sum(last_touch_value) as value,
        count(distinct currency) + max(case when currency is null then 1 else 0 end) > 1
            as is_mixed_currency
    from attributions_credited
    where last_touch_value is not null
    group by 1
),

recommendations as (
    select
        events_summed.rec_id,
        events_summed.impression_count,
        coalesce(clicks_counted.clicked_impression_count, 0) as clicked_impression_count,
        coalesce(conversions_counted.conversion_count, 0) as conversion_count,
        case
            when events_summed.impression_count > 0
                then
                    cast(coalesce(clicks_counted.clicked_impression_count, 0) as double)
                    / cast(events_summed.impression_count as double)
        end as ctr,
        cast(
            case when not values_summed.is_mixed_currency then values_summed.value end
            as decimal(38, 6)
        ) as value,
        {{ millionths_as_decimal(
            epoch_micros('events_summed.first_impression_at')
            ~ ' - ' ~ epoch_micros('events_summed.requested_at')
        ) }} as request_to_view_seconds,
        coalesce(values_summed.is_mixed_currency, false) as is_mixed_currency,
        events_summed.requested_at,
        events_summed.first_impression_at
    from events_summed
    left join clicks_counted on events_summed.rec_id = clicks_counted.rec_id
    left join conversions_counted on events_summed.rec_id = conversions_counted.rec_id
    left join values_summed on events_summed.rec_id = values_summed.rec_id
)

select * from recommendations
