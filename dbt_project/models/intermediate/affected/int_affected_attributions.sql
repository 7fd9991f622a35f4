{# Conversions whose touches may say something else now: rank, module or page. #}
with

changed_clicks as (
    select * from {{ changes('fct_clicks') }}
),

changed_impressions as (
    select * from {{ changes('fct_impressions') }}
),

changed_touches as (
    select id
    from changed_clicks

    union distinct

    select id
    from changed_impressions
),

conversions_affected as (
    select distinct conversion_id
    from {{ ref('int_touches') }}
    where touch_id in (select changed_touches.id from changed_touches)
)

select * from conversions_affected
