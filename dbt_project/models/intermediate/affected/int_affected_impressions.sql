{# Impressions that may have another page, other clicks or another credit now. #}
with

changed_events as (
    select * from {{ changes('fct_events') }}
),

changed_matches as (
    select * from {{ changes('int_clicks_matched') }}
),

changed_touches as (
    select * from {{ changes('int_touches') }}
),

impressions_on_modules as (
    select
        id,
        linked_module_view_id
    from {{ ref('fct_events') }}
    where type = 'impression' and linked_module_view_id is not null
),

int_clicks_matched as (
    select * from {{ ref('int_clicks_matched') }}
),

impressions_affected as (
    select id
    from changed_events
    where type = 'impression'

    union distinct

    select impressions_on_modules.id
    from impressions_on_modules
    where
        impressions_on_modules.linked_module_view_id in (
            select changed_events.id from changed_events
            where changed_events.type = 'module_view'
        )

    union distinct

    select matched_impression_id as id
    from changed_matches

    union distinct

    select touch_id as id
    from changed_touches
    where touch_type = 'impression'

    union distinct

    {# A match that changed as well stands above, as it was and as it is. #}
    select int_clicks_matched.matched_impression_id as id
    from int_clicks_matched
    where int_clicks_matched.id in (select changed_touches.touch_id from changed_touches)
)

select * from impressions_affected
