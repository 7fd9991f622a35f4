{# Conversions that may have other touches now. #}
with

changed_events as (
    select * from {{ changes('fct_events') }}
),

changed_repeats as (
    select * from {{ changes('int_orders_repeated') }}
),

conversions as (
    select
        id,
        visitor_key,
        linked_impression_id,
        original_timestamp
    from {{ ref('fct_events') }}
    where type = 'conversion'
),

int_conversion_units as (
    select * from {{ ref('int_conversion_units') }}
),

changed_touches as (
    select distinct
        visitor_key,
        item_id,
        original_timestamp
    from changed_events
    where type in ('click', 'impression')
),

{# The wider of the two windows serves both. #}
conversions_affected as (
    select id
    from changed_events
    where type = 'conversion'

    union distinct

    {# A repeat has no units, and so no touches. #}
    select id
    from changed_repeats

    union distinct

    select conversions.id
    from changed_touches
    inner join conversions
        on
            changed_touches.visitor_key = conversions.visitor_key
            and changed_touches.original_timestamp <= conversions.original_timestamp
    inner join int_conversion_units
        on
            conversions.id = int_conversion_units.conversion_id
            and changed_touches.item_id = int_conversion_units.item_id
    where
        {{ epoch_micros('conversions.original_timestamp') }}
        - {{ epoch_micros('changed_touches.original_timestamp') }}
        <= greatest(
            {{ days_in_micros(var('sequen_click_touch_days')) }},
            {{ days_in_micros(var('sequen_view_touch_days')) }}
        )

    union distinct

    select conversions.id
    from conversions
    where
        conversions.linked_impression_id in (
            select changed_events.id from changed_events
            where changed_events.type = 'impression'
        )
)

select * from conversions_affected
