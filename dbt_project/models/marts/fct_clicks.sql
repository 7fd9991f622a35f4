{{ exact(
    key=['id'],
    affected_by=[{'rows_of': 'int_affected_clicks', 'columns': ['id']}],
) }}

with

clicks as (
    select
        id,
        visitor_key,
        session_key,
        source,
        item_id,
        item_id_relation,
        click_type,
        rec_id,
        module_view_id,
        page_view_id,
        linked_module_view_id,
        linked_page_view_id,
        rank,
        original_timestamp
    from {{ ref('fct_events') }}
    where type = 'click' and {{ affected_records() }}
),

int_clicks_matched as (
    select * from {{ ref('int_clicks_matched') }}
    where {{ affected(['id']) }}
),

fct_impressions as (
    select * from {{ ref('fct_impressions') }}
),

matches as (
    select
        int_clicks_matched.id,
        int_clicks_matched.matched_impression_id,
        int_clicks_matched.match_method,
        fct_impressions.rec_id,
        fct_impressions.module_view_id,
        fct_impressions.page_view_id,
        fct_impressions.linked_module_view_id,
        fct_impressions.linked_page_view_id,
        fct_impressions.rank
    from int_clicks_matched
    left join fct_impressions on int_clicks_matched.matched_impression_id = fct_impressions.id
),

{# What a click gives itself wins; the link goes with the value that is used. #}
clicks_filled as (
    select
        clicks.id,
        clicks.visitor_key,
        clicks.session_key,
        clicks.source,
        clicks.item_id,
        clicks.item_id_relation,
        clicks.click_type,
        matches.matched_impression_id,
        matches.match_method,
        coalesce(clicks.rec_id, matches.rec_id) as rec_id,
        coalesce(clicks.module_view_id, matches.module_view_id) as module_view_id,
        coalesce(clicks.page_view_id, matches.page_view_id) as page_view_id,
        case
            when clicks.module_view_id is null then matches.linked_module_view_id
            else clicks.linked_module_view_id
        end as linked_module_view_id,
        case
            when clicks.page_view_id is null then matches.linked_page_view_id
            else clicks.linked_page_view_id
        end as linked_page_view_id,
        coalesce(clicks.rank, matches.rank) as rank,
        clicks.original_timestamp
    from clicks
    inner join matches on clicks.id = matches.id
)

select * from clicks_filled
