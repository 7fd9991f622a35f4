{# Rules that more than one model applies. #}

{# A session is known by its visitor and by what holds it together, never by an ordinal. #}
{% macro session_key(visitor_key, kind, anchor) -%}
    {{ sequen.md5_of_array([visitor_key, kind, anchor]) }}
{%- endmacro %}

{# Whole millionths as a decimal, without a division: that would go through a double. #}
{% macro millionths_as_decimal(column) -%}
    cast(cast({{ column }} as decimal(31, 0)) * cast(0.000001 as decimal(7, 6)) as decimal(38, 6))
{%- endmacro %}

{# Whole billionths of a credit, 0 to 10^9, as a decimal. #}
{% macro billionths_as_decimal(column) -%}
    cast(
        cast({{ column }} as decimal(10, 0)) * cast(0.000000001 as decimal(10, 9))
        as decimal(10, 9)
    )
{%- endmacro %}

{# Two items are one where the ids are equal and the relations equal or one of them absent. #}
{% macro relations_agree(one, other) -%}
    coalesce({{ one }} = {{ other }}, true)
{%- endmacro %}

{# What the second of a whole number's digits counts: 1 below 100, 10 below 1000, and so on. #}
{% macro unit_of_two_digits(number) -%}
    cast(
        rpad('1', cast(greatest(length(cast({{ number }} as varchar)) - 1, 1) as integer), '0')
        as bigint
    )
{%- endmacro %}
