{{ exact(
    key=['id'],
    affected_by=[{'rows_of': 'int_affected_impressions', 'columns': ['id']}],
) }}

with

impressions as (
    select
        id,
        visitor_key,
        session_key,
        source,
        item_id,
        item_id_relation,
        rec_id,
        module_view_id,
        page_view_id,
        linked_module_view_id,
        linked_page_view_id,
        rank,
        original_timestamp
    from {{ ref('fct_events') }}
    where type = 'impression' and {{ affected_records() }}
),

module_views as (
    select
        id,
        page_view_id,
        linked_page_view_id
    from {{ ref('fct_events') }}
    where type = 'module_view' and page_view_id is not null
),

int_clicks_matched as (
    select * from {{ ref('int_clicks_matched') }}
    where {{ affected(['matched_impression_id']) }}
),

int_touches as (
    select * from {{ ref('int_touches') }}
),

clicks_counted as (
    select
        matched_impression_id,
        count(*) as click_count
    from int_clicks_matched
    where matched_impression_id is not null
    group by 1
),

{# The last touch holds the whole credit of last_touch. #}
last_touches as (
    select distinct
        touch_id,
        touch_type
    from int_touches
    where touch_number = touch_count
),

impressions_credited as (
    select touch_id as impression_id
    from last_touches
    where touch_type = 'impression'

    union distinct

    select int_clicks_matched.matched_impression_id as impression_id
    from last_touches
    inner join int_clicks_matched on last_touches.touch_id = int_clicks_matched.id
    where last_touches.touch_type = 'click'
),

{# What an impression gives itself wins; the link goes with the value that is used. #}
impressions_filled as (
    select
        impressions.id,
        impressions.visitor_key,
        impressions.session_key,
        impressions.source,
        impressions.item_id,
        impressions.item_id_relation,
        impressions.rec_id,
        impressions.module_view_id,
        coalesce(impressions.page_view_id, module_views.page_view_id) as page_view_id,
        impressions.linked_module_view_id,
        case
            when impressions.page_view_id is null then module_views.linked_page_view_id
            else impressions.linked_page_view_id
        end as linked_page_view_id,
        impressions.rank,
        coalesce(clicks_counted.click_count, 0) as click_count,
        clicks_counted.click_count is not null as is_clicked,
        impressions_credited.impression_id is not null as is_converted,
        impressions.original_timestamp
    from impressions
    left join module_views
        on
            case when impressions.page_view_id is null then impressions.linked_module_view_id end
            = module_views.id
    left join clicks_counted on impressions.id = clicks_counted.matched_impression_id
    left join impressions_credited on impressions.id = impressions_credited.impression_id
)

select * from impressions_filled
