{{ exact(
    key=['id'],
    affected_by=[{'changes_of': 'fct_events', 'columns': ['id']}],
) }}

{%- set scroll_depths = [
    'scroll_depth', 'depth', 'scroll_pct', 'scroll_percentage', 'max_scroll'
] -%}

with

conversions as (
    select
        id,
        conversion_type,
        item_ids,
        properties,
        original_timestamp
    from {{ ref('fct_events') }}
    where type = 'conversion' and {{ affected_records() }}
),

scrolls as (
    select
        id,
        properties,
        original_timestamp
    from {{ ref('fct_events') }}
    where type = 'scroll' and linked_page_view_id is not null and {{ affected_records() }}
),

conversions_opened as (
    select
        id,
        {{ lookup_documents('properties') }}
    from conversions
),

scrolls_opened as (
    select
        id,
        {{ lookup_documents('properties') }}
    from scrolls
),

conversions_looked_up as (
    select
        id,
        {{ carried_value(var('sequen_value_field')) }} as carried_value,
        {{ carried_value(var('sequen_currency_field')) }} as carried_currency,
        {{ carried_value(var('sequen_order_field'), is_as_written=true) }} as carried_order
    from conversions_opened
),

scrolls_looked_up as (
    select
        {%- for field in scroll_depths %}
            {{ carried_value([field]) }} as carried_{{ field }},
        {%- endfor %}
        id
    from scrolls_opened
),

texts_found as (
    select
        id,
        0 as place,
        {{ carried_number('carried_value') }} as written
    from conversions_looked_up
    {%- for field in scroll_depths %}

        union all

        select
            id,
            {{ loop.index0 }} as place,
            {{ carried_number('carried_' ~ field) }} as written
        from scrolls_looked_up
    {%- endfor %}
),

{# -12.5e-1 is taken apart as '-', '12', '5', '-1'. #}
texts_split as (
    select
        id,
        place,
        case when written like '-%' then -1 else 1 end as sign,
        regexp_extract(written, '^-?([0-9]+)', 1) as whole_digits,
        regexp_extract(written, '\.([0-9]+)', 1) as fraction_digits,
        regexp_extract(written, '[eE]([-+]?)', 1) as exponent_sign,
        regexp_replace(regexp_extract(written, '[eE][-+]?([0-9]+)', 1), '^0+', '')
            as exponent_digits
    from texts_found
),

{# An exponent of ten digits or more is beyond any text that a line can hold, either way. #}
exponents_read as (
    select
        id,
        place,
        sign,
        regexp_replace(whole_digits || fraction_digits, '^0+', '') as digits,
        length(whole_digits)
        - length(whole_digits || fraction_digits)
        + length(regexp_replace(whole_digits || fraction_digits, '^0+', ''))
        + case when exponent_sign = '-' then -1 else 1 end
        * case
            when exponent_digits = '' then 0
            when length(exponent_digits) > 9 then 1000000000
            else cast(exponent_digits as bigint)
        end as point
    from texts_split
),

{#
  The number is 0.digits times 10 ^ point. A point above 18 makes it 10^18 or more, which counts as
  unreadable; below -6 it is less than half a millionth, which is 0.
#}
millionth_digits_cut as (
    select
        id,
        place,
        sign,
        case
            when digits = '' or point < -6 then '0'
            when point <= 18
                then rpad(digits, cast(point + 7 as integer), '0')
        end as millionth_digits
    from exponents_read
),

{# The digit after the millionths decides the rounding; alone it stands for less than one. #}
millionths_read as (
    select
        id,
        place,
        sign * (
            cast(
                '0' || substr(millionth_digits, 1, length(millionth_digits) - 1)
                as {{ wide_integer() }}
            )
            + case
                when substr(millionth_digits, length(millionth_digits), 1) >= '5' then 1
                else 0
            end
        ) as millionths
    from millionth_digits_cut
),

{#
  Of several fields that hold a depth, the first of the list counts. The condition stands here and
  not earlier: DuckDB would push it down to the events and read their JSON twice.
#}
numbers_picked as (
    select
        id,
        min_by(millionths, place) filter (where millionths is not null) as millionths
    from millionths_read
    group by 1
),

{# Only a text or number names an order, and not one that is a word for none or for no person. #}
orders_named as (
    select
        id,
        case
            when
                (carried_order like '#%' or carried_order like '"%')
                and not {{ is_one_of('lower(substr(carried_order, 2))', words_for_no_order()) }}
                then substr(carried_order, 2)
        end as order_name,
        {{ carried_text('carried_currency') }} as currency,
        carried_value is not null as is_value_carried
    from conversions_looked_up
),

values_united as (
    select
        conversions.id,
        case
            when orders_named.order_name is not null
                then {{ md5_of_array(['conversions.conversion_type', 'orders_named.order_name']) }}
        end as order_key,
        case
            when orders_named.order_name is not null
                then
                    {{ md5_of_array([
                        json_of_sorted('conversions.item_ids'),
                        'cast(numbers_picked.millionths as varchar)',
                        'orders_named.currency',
                    ]) }}
        end as order_contents,
        orders_named.currency,
        numbers_picked.millionths,
        orders_named.is_value_carried and numbers_picked.millionths is null as is_value_unreadable,
        conversions.original_timestamp
    from conversions
    inner join orders_named on conversions.id = orders_named.id
    inner join numbers_picked on conversions.id = numbers_picked.id

    union all

    select
        scrolls.id,
        cast(null as varchar) as order_key,
        cast(null as varchar) as order_contents,
        cast(null as varchar) as currency,
        numbers_picked.millionths,
        false as is_value_unreadable,
        scrolls.original_timestamp
    from scrolls
    inner join numbers_picked on scrolls.id = numbers_picked.id
)

select * from values_united
