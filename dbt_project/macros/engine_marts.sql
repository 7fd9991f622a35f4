{# What the marts need and engines spell differently, one dispatched macro a thing. #}

{# The last value of a window that is not null; `over (...)` follows. Spark: f(x) ignore nulls. #}
{% macro last_known(column) -%}
    {{ return(adapter.dispatch('last_known', 'sequen')(column)) }}
{%- endmacro %}

{% macro duckdb__last_known(column) -%}
    last_value({{ column }} ignore nulls)
{%- endmacro %}

{# The first value of a window that is not null; `over (...)` follows. #}
{% macro first_known(column) -%}
    {{ return(adapter.dispatch('first_known', 'sequen')(column)) }}
{%- endmacro %}

{% macro duckdb__first_known(column) -%}
    first_value({{ column }} ignore nulls)
{%- endmacro %}

{# Several values as one that compares from left to right; Spark calls it struct. #}
{% macro ordered_pair(first, second) -%}
    {{ return(adapter.dispatch('ordered_pair', 'sequen')(first, second)) }}
{%- endmacro %}

{% macro duckdb__ordered_pair(first, second) -%}
    row({{ first }}, {{ second }})
{%- endmacro %}

{# The second of two values made one by ordered_pair; Spark: pair.col2. #}
{% macro second_of_pair(pair) -%}
    {{ return(adapter.dispatch('second_of_pair', 'sequen')(pair)) }}
{%- endmacro %}

{% macro duckdb__second_of_pair(pair) -%}
    ({{ pair }})[2]
{%- endmacro %}

{# The integer that holds millionths of a value times billionths; Spark: decimal(38, 0). #}
{% macro wide_integer() -%}
    {{ return(adapter.dispatch('wide_integer', 'sequen')()) }}
{%- endmacro %}

{% macro duckdb__wide_integer() -%}
    hugeint
{%- endmacro %}

{# One row per whole number below `count`, from 0; Spark explodes a sequence. #}
{% macro cross_join_numbers(count, alias, element) -%}
    {{ return(adapter.dispatch('cross_join_numbers', 'sequen')(count, alias, element)) }}
{%- endmacro %}

{% macro duckdb__cross_join_numbers(count, alias, element) -%}
    cross join unnest(range({{ count }})) as {{ alias }} ({{ element }})
{%- endmacro %}

{# A number that stands for a text, the same in every engine and version; the loader makes it too. #}
{% macro text_hash(column) -%}
    {{ return(adapter.dispatch('text_hash', 'sequen')(column)) }}
{%- endmacro %}

{# Spark: cast(conv(substr(md5(x), 1, 15), 16, 10) as bigint). #}
{% macro duckdb__text_hash(column) -%}
    cast('0x' || substr(md5({{ column }}), 1, 15) as bigint)
{%- endmacro %}
