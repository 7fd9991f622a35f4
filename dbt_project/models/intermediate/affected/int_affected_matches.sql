{# Clicks that may match another impression now. #}
with

changed_events as (
    select * from {{ changes('fct_events') }}
),

clicks as (
    select
        id,
        visitor_key,
        item_id,
        original_timestamp
    from {{ ref('fct_events') }}
    where type = 'click'
),

{# An impression, as it was or as it is, can be the one of every later click on its item. #}
items_shown as (
    select
        visitor_key,
        item_id,
        min(original_timestamp) as from_at
    from changed_events
    where type = 'impression'
    group by 1, 2
),

clicks_affected as (
    select id
    from changed_events
    where type = 'click'

    union distinct

    select clicks.id
    from clicks
    inner join items_shown
        on
            clicks.visitor_key = items_shown.visitor_key
            and clicks.item_id = items_shown.item_id
            and clicks.original_timestamp >= items_shown.from_at
)

select * from clicks_affected
