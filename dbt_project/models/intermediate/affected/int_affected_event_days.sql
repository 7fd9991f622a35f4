{{ config(materialized='table') }}
{#
  Days whose events may count differently now. An event that only moved to another visitor or session
  counts as before.
#}
with

changed_events as (
    select * from {{ changes_of('fct_events', [
        'id', 'source', 'type', 'page_type', 'click_type', 'conversion_type', 'uid', 'sid', 'cid',
        'rec_id', 'page_view_id', 'module_view_id', 'impression_id', 'rank', 'item_id', 'item_ids',
        'item_id_relation', 'dwell_ms', 'page_view_link', 'module_view_link', 'impression_link', 'linked_page_view_id',
        'original_timestamp', 'server_timestamp', 'ingest_timestamp',
    ]) }} as changed_events
),

changed_keys as (
    select * from {{ changes_of('int_event_keys', [
        'id', 'property_shape', 'original_timestamp',
    ]) }} as changed_keys
),

changed_impressions as (
    select * from {{ changes_of('fct_impressions', [
        'id', 'source', 'rank', 'is_clicked', 'original_timestamp',
    ]) }} as changed_impressions
),

changed_clicks as (
    select * from {{ changes_of('fct_clicks', [
        'id', 'source', 'match_method', 'original_timestamp',
    ]) }} as changed_clicks
),

changed_page_views as (
    select * from {{ changes_of('int_page_views_marked', [
        'id', 'property_shape', 'has_dwell_time_event', 'is_session_first_page_view', 'event_date',
    ]) }} as changed_page_views
),

{# Breakdowns lie in the custom fields, which the changes do not hold; only a load alters those. #}
loaded_events as (
    select original_timestamp from {{ changes('fct_events') }}
    where
        id in (select stg_affected_ids.id from {{ ref('stg_affected_ids') }} as stg_affected_ids)
        and {{ 'true' if var('sequen_breakdowns') else 'false' }}
),

days_affected as (
    select cast(original_timestamp as date) as day
    from changed_events

    union distinct

    select cast(original_timestamp as date) as day
    from loaded_events

    union distinct

    select cast(original_timestamp as date) as day
    from changed_keys

    union distinct

    select cast(original_timestamp as date) as day
    from changed_impressions

    union distinct

    select cast(original_timestamp as date) as day
    from changed_clicks

    union distinct

    select event_date as day
    from changed_page_views

    union distinct

    {# What resolves to a page_view counts with its fields, on whatever day. #}
    select cast(original_timestamp as date) as day
    from {{ ref('fct_events') }}
    where linked_page_view_id in (select changed_page_views.id from changed_page_views)
)

select * from days_affected
