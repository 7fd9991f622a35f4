{{ exact(
    key=['id'],
    affected_by=[
        {'changes_of': 'fct_events', 'columns': ['id']},
        {'changes_of': 'fct_impressions', 'columns': ['linked_module_view_id']},
    ],
) }}

with

module_views as (
    select
        id,
        visitor_key,
        session_key,
        page_view_id,
        linked_page_view_id,
        rec_id,
        item_id,
        rank,
        original_timestamp
    from {{ ref('fct_events') }}
    where type = 'module_view' and {{ affected_records() }}
),

fct_impressions as (
    select * from {{ ref('fct_impressions') }}
    where {{ affected(['linked_module_view_id']) }}
),

impressions_counted as (
    select
        linked_module_view_id,
        count(*) as impression_count,
        count(case when is_clicked then 1 end) as clicked_impression_count
    from fct_impressions
    where linked_module_view_id is not null
    group by 1
),

module_views_measured as (
    select
        module_views.id,
        module_views.visitor_key,
        module_views.session_key,
        module_views.page_view_id,
        module_views.linked_page_view_id,
        module_views.rec_id,
        module_views.item_id,
        module_views.rank,
        coalesce(impressions_counted.impression_count, 0) as impression_count,
        coalesce(impressions_counted.clicked_impression_count, 0) as clicked_impression_count,
        module_views.original_timestamp
    from module_views
    left join impressions_counted on module_views.id = impressions_counted.linked_module_view_id
)

select * from module_views_measured
