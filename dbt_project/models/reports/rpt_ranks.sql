with

int_rank_days as (
    select * from {{ ref('int_rank_days') }}
),

ranks_counted as (
    select
        coalesce(source, '(all)') as source,
        rank,
        cast(sum(impression_count) as bigint) as impression_count,
        cast(sum(clicked_impression_count) as bigint) as clicked_impression_count
    from int_rank_days
    group by grouping sets ((source, rank), (rank))
),

ranks_with_ctr as (
    select
        source,
        rank,
        impression_count,
        clicked_impression_count,
        cast(clicked_impression_count as double) / impression_count as ctr
    from ranks_counted
)

select * from ranks_with_ctr
