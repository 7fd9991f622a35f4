{# Days whose events may count differently now. #}
with

changed_events as (
    select * from {{ changes('fct_events') }}
),

changed_keys as (
    select * from {{ changes('int_event_keys') }}
),

changed_page_views as (
    select * from {{ changes('int_page_views_marked') }}
),

days_touched as (
    select cast(original_timestamp as date) as day
    from changed_events

    union distinct

    select cast(original_timestamp as date) as day
    from changed_keys

    union distinct

    select event_date as day
    from changed_page_views

    union distinct

    {# What resolves to a page_view counts with its fields, on whatever day. #}
    select cast(original_timestamp as date) as day
    from {{ ref('fct_events') }}
    where linked_page_view_id in (select changed_page_views.id from changed_page_views)
)

select * from days_touched
