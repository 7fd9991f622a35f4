{# Clicks that may be filled with other values now: their match, or what it says, is another. #}
with

changed_events as (
    select * from {{ changes('fct_events') }}
),

changed_matches as (
    select * from {{ changes('int_clicks_matched') }}
),

changed_impressions as (
    select * from {{ changes('fct_impressions') }}
),

int_clicks_matched as (
    select * from {{ ref('int_clicks_matched') }}
),

clicks_affected as (
    select id
    from changed_events
    where type = 'click'

    union distinct

    select id
    from changed_matches

    union distinct

    select int_clicks_matched.id
    from int_clicks_matched
    where
        int_clicks_matched.matched_impression_id in (
            select changed_impressions.id from changed_impressions
        )
)

select * from clicks_affected
