{# Sessions with a page_view whose custom fields may be others now. #}
with

changed_events as (
    select * from {{ changes('int_event_keys') }}
),

sessions_affected as (
    select distinct session_key
    from {{ ref('fct_page_views') }}
    where id in (select changed_events.id from changed_events)
)

select * from sessions_affected
