{{ exact(
    key=['id'],
    scope=['order_key'],
    affected_by=[{'changes_of': 'int_property_values', 'columns': ['order_key']}],
) }}

with

conversions_of_orders as (
    select
        id,
        order_key,
        order_contents,
        original_timestamp
    from {{ ref('int_property_values') }}
    where order_key is not null and {{ affected(['order_key']) }}
),

conversions_numbered as (
    select
        id,
        order_key,
        first_value(id) over (
            partition by order_key, order_contents
            order by original_timestamp, id
            rows between unbounded preceding and current row
        ) as first_id
    from conversions_of_orders
),

orders_repeated as (
    select
        id,
        order_key,
        first_id
    from conversions_numbered
    where id <> first_id
)

select * from orders_repeated
