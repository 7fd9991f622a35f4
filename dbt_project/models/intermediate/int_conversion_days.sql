{{ exact(
    key=['source', 'day'],
    scope=['day'],
    affected_by=[
        {'changes_of': 'fct_conversions', 'columns': ['cast(original_timestamp as date)']},
    ],
) }}

with

fct_conversions as (
    select * from {{ ref('fct_conversions') }}
    where not is_repeat and {{ affected(['cast(original_timestamp as date)']) }}
),

conversions_by_day as (
    select
        source,
        count(*) as conversion_count,
        count(case when is_attributed then 1 end) as attributed_conversion_count,
        cast(original_timestamp as date) as day
    from fct_conversions
    group by 1, 4
)

select * from conversions_by_day
