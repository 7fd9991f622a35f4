with

fct_conversions as (
    select
        id,
        visitor_key,
        source
    from {{ ref('fct_conversions') }}
),

int_orders_repeated as (
    select * from {{ ref('int_orders_repeated') }}
),

conversions_of_orders as (
    select
        id,
        order_key,
        order_contents
    from {{ ref('int_property_values') }}
    where order_key is not null
),

conversions_marked as (
    select
        fct_conversions.source,
        conversions_of_orders.order_key,
        conversions_of_orders.order_contents,
        int_orders_repeated.id is not null as is_repeat,
        coalesce(fct_conversions.visitor_key <> first_conversions.visitor_key, false)
            as is_by_another_visitor
    from conversions_of_orders
    inner join fct_conversions on conversions_of_orders.id = fct_conversions.id
    left join int_orders_repeated on conversions_of_orders.id = int_orders_repeated.id
    left join fct_conversions as first_conversions
        on int_orders_repeated.first_id = first_conversions.id
),

sources_united as (
    select * from conversions_marked

    union all

    select
        '(all)' as source,
        order_key,
        order_contents,
        is_repeat,
        is_by_another_visitor
    from conversions_marked
),

orders as (
    select
        source,
        order_key,
        count(*) as conversion_count,
        count(distinct order_contents) as content_count,
        count(case when is_repeat then 1 end) as repeat_count,
        count(case when is_by_another_visitor then 1 end) as repeat_by_another_visitor_count
    from sources_united
    group by 1, 2
),

orders_summed as (
    select
        source,
        count(*) as order_count,
        cast(sum(conversion_count) as bigint) as conversion_count,
        cast(sum(repeat_count) as bigint) as repeat_count,
        cast(sum(repeat_by_another_visitor_count) as bigint) as repeat_by_another_visitor_count,
        count(case when content_count > 1 then 1 end) as differing_order_count
    from orders
    group by 1
)

select * from orders_summed
