{# No visitor is in two splits, and each split lies before the next in time. #}
with

visitors_of_splits as (
    select
        visitor_key,
        count(distinct split) as split_count
    from {{ ref('training_impressions') }}
    where split <> 'unused' and {{ 'false' if tests_look_at_changes() else 'true' }}
    group by 1
)

select * from visitors_of_splits
where split_count > 1
