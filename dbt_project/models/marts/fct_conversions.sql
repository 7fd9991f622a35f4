{{ exact(
    key=['id'],
    affected_by=[
        {'changes_of': 'fct_events', 'columns': ['id']},
        {'changes_of': 'int_touches', 'columns': ['conversion_id']},
        {'changes_of': 'int_orders_repeated', 'columns': ['id']},
    ],
) }}

with

conversions as (
    select
        id,
        visitor_key,
        session_key,
        source,
        conversion_type,
        item_ids,
        original_timestamp
    from {{ ref('fct_events') }}
    where type = 'conversion' and {{ affected_records() }}
),

int_property_values as (
    select * from {{ ref('int_property_values') }}
    where {{ affected(['id']) }}
),

int_conversion_units as (
    select * from {{ ref('int_conversion_units') }}
    where {{ affected(['conversion_id']) }}
),

int_orders_repeated as (
    select
        id,
        true as is_repeat
    from {{ ref('int_orders_repeated') }}
    where {{ affected(['id']) }}
),

int_touches as (
    select * from {{ ref('int_touches') }}
    where {{ affected(['conversion_id']) }}
),

units_counted as (
    select
        conversion_id,
        count(*) as unit_count
    from int_conversion_units
    group by 1
),

conversions_with_touches as (
    select distinct conversion_id
    from int_touches
),

conversions_valued as (
    select
        conversions.id,
        conversions.visitor_key,
        conversions.session_key,
        conversions.source,
        conversions.conversion_type,
        int_property_values.currency,
        cast({{ array_length('conversions.item_ids') }} as bigint) as item_count,
        coalesce(units_counted.unit_count, 0) as unit_count,
        {{ millionths_as_decimal('int_property_values.millionths') }} as value,
        conversions_with_touches.conversion_id is not null as is_attributed,
        coalesce(int_orders_repeated.is_repeat, false) as is_repeat,
        conversions.original_timestamp
    from conversions
    left join int_property_values on conversions.id = int_property_values.id
    left join units_counted on conversions.id = units_counted.conversion_id
    left join int_orders_repeated on conversions.id = int_orders_repeated.id
    left join conversions_with_touches on conversions.id = conversions_with_touches.conversion_id
)

select * from conversions_valued
