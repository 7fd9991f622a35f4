{{ exact(
    key=['conversion_id', 'item_id'],
    scope=['conversion_id'],
    affected_by=[
        {'changes_of': 'fct_events', 'columns': ['id']},
        {'changes_of': 'int_orders_repeated', 'columns': ['id']},
    ],
) }}

with

conversions as (
    select
        id,
        item_ids
    from {{ ref('fct_events') }}
    where type = 'conversion' and {{ affected_records() }}
),

int_property_values as (
    select * from {{ ref('int_property_values') }}
    where {{ affected(['id']) }}
),

int_orders_repeated as (
    select
        id,
        true as is_repeat
    from {{ ref('int_orders_repeated') }}
    where {{ affected(['id']) }}
),

{# An order that comes again converts nothing. #}
items_counted as (
    select
        conversions.id as conversion_id,
        items.item_id,
        count(*) as quantity
    from conversions
    left join int_orders_repeated on conversions.id = int_orders_repeated.id
    {{ cross_join_unnest('conversions.item_ids', 'items', 'item_id') }}
    where int_orders_repeated.is_repeat is null
    group by 1, 2
),

items_totalled as (
    select
        conversion_id,
        max(item_id) as last_item_id,
        sum(quantity) as total_quantity
    from items_counted
    group by 1
),

shares_rounded_down as (
    select
        items_counted.conversion_id,
        items_counted.item_id,
        items_counted.quantity,
        items_counted.item_id = items_totalled.last_item_id as is_last_item,
        int_property_values.millionths as value_millionths,
        {{ floor_divide(
            'int_property_values.millionths * items_counted.quantity',
            'cast(items_totalled.total_quantity as ' ~ wide_integer() ~ ')',
        ) }} as share_millionths
    from items_counted
    inner join items_totalled on items_counted.conversion_id = items_totalled.conversion_id
    left join int_property_values on items_counted.conversion_id = int_property_values.id
),

{# The last item takes the remainder, so that the units of a conversion add up to its value. #}
units as (
    select
        conversion_id,
        item_id,
        quantity,
        cast(
            share_millionths
            + case
                when is_last_item
                    then
                        value_millionths
                        - sum(share_millionths) over (partition by conversion_id)
                else 0
            end as {{ wide_integer() }}
        ) as unit_millionths
    from shares_rounded_down
)

select * from units
