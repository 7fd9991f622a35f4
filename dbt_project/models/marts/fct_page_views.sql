{{ exact(
    key=['id'],
    affected_by=[
        {'changes_of': 'fct_events', 'columns': ['id']},
        {'changes_of': 'fct_events', 'columns': ['linked_page_view_id']},
        {'changes_of': 'fct_impressions', 'columns': ['linked_page_view_id']},
        {'changes_of': 'fct_clicks', 'columns': ['linked_page_view_id']},
    ],
) }}

with

page_views as (
    select
        id,
        visitor_key,
        session_key,
        page_type,
        source,
        original_timestamp
    from {{ ref('fct_events') }}
    where type = 'page_view' and {{ affected_records() }}
),

dwell_times as (
    select
        linked_page_view_id,
        dwell_ms
    from {{ ref('fct_events') }}
    where type = 'dwell_time' and {{ affected(['linked_page_view_id']) }}
),

scrolls as (
    select
        id,
        linked_page_view_id
    from {{ ref('fct_events') }}
    where type = 'scroll' and {{ affected(['linked_page_view_id']) }}
),

int_property_values as (
    select * from {{ ref('int_property_values') }}
),

fct_impressions as (
    select * from {{ ref('fct_impressions') }}
    where {{ affected(['linked_page_view_id']) }}
),

fct_clicks as (
    select * from {{ ref('fct_clicks') }}
    where {{ affected(['linked_page_view_id']) }}
),

dwell_times_summed as (
    select
        linked_page_view_id,
        sum(dwell_ms) as dwell_ms
    from dwell_times
    where linked_page_view_id is not null
    group by 1
),

scrolls_summed as (
    select
        scrolls.linked_page_view_id,
        max(int_property_values.millionths) as max_scroll_millionths
    from scrolls
    inner join int_property_values on scrolls.id = int_property_values.id
    where scrolls.linked_page_view_id is not null
    group by 1
),

impressions_counted as (
    select
        linked_page_view_id,
        count(*) as impression_count
    from fct_impressions
    where linked_page_view_id is not null
    group by 1
),

clicks_counted as (
    select
        linked_page_view_id,
        count(*) as click_count
    from fct_clicks
    where linked_page_view_id is not null
    group by 1
),

page_views_measured as (
    select
        page_views.id,
        page_views.visitor_key,
        page_views.session_key,
        page_views.page_type,
        page_views.source,
        cast(dwell_times_summed.dwell_ms as decimal(38, 6)) as dwell_ms,
        {{ millionths_as_decimal('scrolls_summed.max_scroll_millionths') }} as max_scroll_depth,
        coalesce(impressions_counted.impression_count, 0) as impression_count,
        coalesce(clicks_counted.click_count, 0) as click_count,
        page_views.original_timestamp
    from page_views
    left join dwell_times_summed on page_views.id = dwell_times_summed.linked_page_view_id
    left join scrolls_summed on page_views.id = scrolls_summed.linked_page_view_id
    left join impressions_counted on page_views.id = impressions_counted.linked_page_view_id
    left join clicks_counted on page_views.id = clicks_counted.linked_page_view_id
)

select * from page_views_measured
