{#- Dagster shows the test as a check of this one of its tables. -#}
{{ config(meta={"dagster": {"ref": {"name": "fct_conversions"}}}) }}
{# A repeat is like the conversion that counts, follows it, and has no units. #}
with

fct_conversions as (
    select * from {{ ref('fct_conversions') }}
),

fct_attributions as (
    select * from {{ ref('fct_attributions') }}
    where {{ changed('fct_conversions', ['conversion_id'], by=['id']) }}
),

int_orders_repeated as (
    select * from {{ ref('int_orders_repeated') }}
    where {{ changed('fct_conversions', ['id']) }}
),

repeats as (
    select * from {{ ref('fct_conversions') }}
    where is_repeat and {{ changed('fct_conversions', ['id']) }}
),

repeats_of_nothing as (
    select repeats.id
    from repeats
    left join int_orders_repeated on repeats.id = int_orders_repeated.id
    left join fct_conversions on int_orders_repeated.first_id = fct_conversions.id
    where
        fct_conversions.id is null
        or fct_conversions.is_repeat
        or fct_conversions.conversion_type <> repeats.conversion_type
        or fct_conversions.value is distinct from repeats.value
        or fct_conversions.currency is distinct from repeats.currency
        or fct_conversions.item_count <> repeats.item_count
        or fct_conversions.original_timestamp > repeats.original_timestamp
),

repeats_with_units as (
    select repeats.id
    from repeats
    inner join fct_attributions on repeats.id = fct_attributions.conversion_id
)

select id from repeats_of_nothing
union all
select id from repeats_with_units
