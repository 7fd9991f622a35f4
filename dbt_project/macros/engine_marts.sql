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

{#
  The digits of a JSON number as they were written, or a JSON text of the form -?digits[.digits];
  null for all else. DuckDB reads a JSON number with a point through a double, which keeps 15
  digits: where the document has a longer run, every number in it is quoted before the number is
  taken out (a text gets a mark of its own meanwhile). Remove that, and 123456789012.345678 loses
  its last digit.
#}
{% macro json_decimal_text(column, path) -%}
    {{ return(adapter.dispatch('json_decimal_text', 'sequen')(column, path)) }}
{%- endmacro %}

{% macro duckdb__json_decimal_text(column, path) -%}
    case json_type({{ column }}, '{{ sequen.json_path(path) }}')
        when 'VARCHAR'
            then nullif(regexp_extract(
                json_extract_string({{ column }}, '{{ sequen.json_path(path) }}'),
                '\A-?[0-9]+(?:\.[0-9]+)?\z'
            ), '')
        when 'OBJECT' then null
        when 'ARRAY' then null
        when 'BOOLEAN' then null
        when 'NULL' then null
        else json_extract_string(
            case
                when regexp_matches({{ column }}, '[0-9.]{16}')
                    then regexp_replace(
                        regexp_replace(
                            {{ column }},
                            '("(?:[^"\\]|\\.)*")|(-?[0-9][-+.eE0-9]*)', '\1"\2"', 'g'
                        ),
                        '("(?:[^"\\]|\\.)*")(?:"")?', '\1', 'g'
                    )
                else {{ column }}
            end,
            '{{ sequen.json_path(path) }}'
        )
    end
{%- endmacro %}

{# The text at a path where JSON holds a string there that is not blank; else null. #}
{% macro json_string(column, path) -%}
    {{ return(adapter.dispatch('json_string', 'sequen')(column, path)) }}
{%- endmacro %}

{# The class holds the 25 code points with the Unicode property White_Space; \s knows only ASCII. #}
{% macro duckdb__json_string(column, path) -%}
    case
        when
            json_type({{ column }}, '{{ sequen.json_path(path) }}') = 'VARCHAR'
            and regexp_matches(
                json_extract_string({{ column }}, '{{ sequen.json_path(path) }}'),
                '[^\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}'
                || '\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]'
            )
            then json_extract_string({{ column }}, '{{ sequen.json_path(path) }}')
    end
{%- endmacro %}

{# A number that stands for a text, the same in every engine and version; the loader makes it too. #}
{% macro text_hash(column) -%}
    {{ return(adapter.dispatch('text_hash', 'sequen')(column)) }}
{%- endmacro %}

{# Spark: cast(conv(substr(md5(x), 1, 15), 16, 10) as bigint). #}
{% macro duckdb__text_hash(column) -%}
    cast('0x' || substr(md5({{ column }}), 1, 15) as bigint)
{%- endmacro %}
