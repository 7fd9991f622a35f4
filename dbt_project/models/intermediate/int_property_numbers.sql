{{ exact(key=['id'], touched_by=['fct_events.id']) }}

{%- set scroll_depths = [
    'scroll_depth', 'depth', 'scroll_pct', 'scroll_percentage', 'max_scroll'
] -%}

with

conversions as (
    select
        id,
        properties
    from {{ ref('fct_events') }}
    where type = 'conversion' and {{ touched_records() }}
),

scrolls as (
    select
        id,
        properties
    from {{ ref('fct_events') }}
    where type = 'scroll' and linked_page_view_id is not null and {{ touched_records() }}
),

texts_found as (
    select
        id,
        0 as place,
        {{ json_decimal_text('properties', var('sequen_value_field')) }} as written
    from conversions
    {%- for field in scroll_depths %}

        union all

        select
            id,
            {{ loop.index0 }} as place,
            {{ json_decimal_text('properties', [field]) }} as written
        from scrolls
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
)

select * from numbers_picked
