with

clicks as (
    select
        id,
        session_key,
        item_id,
        item_id_relation,
        matched_impression_id,
        original_timestamp
    from {{ ref('fct_clicks') }}
),

page_views_of_items as (
    select
        id,
        session_key,
        item_id,
        item_id_relation,
        original_timestamp
    from {{ ref('fct_events') }}
    where
        type = 'page_view'
        and item_id is not null
        and exists (
            select 1
            from clicks
            where
                fct_events.session_key = clicks.session_key
                and fct_events.item_id = clicks.item_id
        )
),

{#
  A page belongs to the session's latest click on its item: what came after another click is not
  the doing of the first. At one instant the click comes first.
#}
clicks_and_page_views as (
    select
        session_key,
        item_id,
        id as click_id,
        cast(null as varchar) as page_view_id,
        cast(null as varchar) as page_relation,
        0 as place,
        id,
        original_timestamp
    from clicks

    union all

    select
        session_key,
        item_id,
        cast(null as varchar) as click_id,
        id as page_view_id,
        item_id_relation as page_relation,
        1 as place,
        id,
        original_timestamp
    from page_views_of_items
),

latest_clicks_carried as (
    select
        page_view_id,
        page_relation,
        {{ last_known('click_id') }} over (
            partition by session_key, item_id
            order by original_timestamp, place, id
            rows between unbounded preceding and current row
        ) as click_id,
        original_timestamp
    from clicks_and_page_views
),

page_views_opened as (
    select
        clicks.matched_impression_id as impression_id,
        latest_clicks_carried.page_view_id,
        latest_clicks_carried.original_timestamp as opened_at,
        row_number() over (
            partition by latest_clicks_carried.click_id
            order by latest_clicks_carried.original_timestamp, latest_clicks_carried.page_view_id
        ) as page_place
    from latest_clicks_carried
    inner join clicks on latest_clicks_carried.click_id = clicks.id
    where
        latest_clicks_carried.page_view_id is not null
        and clicks.matched_impression_id is not null
        and coalesce(clicks.item_id_relation = latest_clicks_carried.page_relation, true)
)

select * from page_views_opened
