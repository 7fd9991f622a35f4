{{ exact(
    key=['source', 'rank', 'day'],
    scope=['day'],
    affected_by=[{'rows_of': 'int_affected_event_days', 'columns': ['day']}],
) }}

with

fct_impressions as (
    select * from {{ ref('fct_impressions') }}
    where {{ affected(['cast(original_timestamp as date)']) }}
),

ranks_by_day as (
    select
        source,
        rank,
        count(*) as impression_count,
        cast(sum(case when is_clicked then 1 else 0 end) as bigint) as clicked_impression_count,
        cast(original_timestamp as date) as day
    from fct_impressions
    group by 1, 2, 5
)

select * from ranks_by_day
