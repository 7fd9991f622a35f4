{# Everything that engines spell differently, one dispatched macro a thing. Models hold portable SQL. #}

{# Text of the value at a path of keys; null where absent or JSON null. `path`: a list of keys. #}
{% macro json_text(column, path) -%}
    {{ return(adapter.dispatch('json_text', 'sequen')(column, path)) }}
{%- endmacro %}

{% macro duckdb__json_text(column, path) -%}
    json_extract_string({{ column }}, '{{ sequen.json_path(path) }}')
{%- endmacro %}

{# JSON type of the value at a path of keys: VARCHAR, UBIGINT, BIGINT, DOUBLE, BOOLEAN, OBJECT, ARRAY, NULL. #}
{% macro json_type_at(column, path) -%}
    {{ return(adapter.dispatch('json_type_at', 'sequen')(column, path)) }}
{%- endmacro %}

{% macro duckdb__json_type_at(column, path) -%}
    json_type({{ column }}, '{{ sequen.json_path(path) }}')
{%- endmacro %}

{# '$."a"."b"' with both kinds of quotes made harmless. #}
{% macro json_path(path) -%}
    $
    {%- for key in path -%}
        ."{{ key | replace('\\', '\\\\') | replace('"', '\\"') | replace("'", "''") }}"
    {%- endfor -%}
{%- endmacro %}

{# A timestamp as whole microseconds since 1970. #}
{% macro epoch_micros(column) -%}
    {{ return(adapter.dispatch('epoch_micros', 'sequen')(column)) }}
{%- endmacro %}

{% macro duckdb__epoch_micros(column) -%}
    epoch_us({{ column }})
{%- endmacro %}

{# The md5 of the JSON array of some texts, as hex: a key that no two lists of parts share. #}
{% macro md5_of_array(columns) -%}
    {{ return(adapter.dispatch('md5_of_array', 'sequen')(columns)) }}
{%- endmacro %}

{% macro duckdb__md5_of_array(columns) -%}
    md5(cast(json_array({{ columns | join(', ') }}) as varchar))
{%- endmacro %}

{# One row per element of an array column, as `<alias>.<element>`. #}
{% macro cross_join_unnest(array, alias, element) -%}
    {{ return(adapter.dispatch('cross_join_unnest', 'sequen')(array, alias, element)) }}
{%- endmacro %}

{% macro duckdb__cross_join_unnest(array, alias, element) -%}
    cross join unnest({{ array }}) as {{ alias }} ({{ element }})
{%- endmacro %}

{# A JSON array of text as an array of text. #}
{% macro json_text_array(column) -%}
    {{ return(adapter.dispatch('json_text_array', 'sequen')(column)) }}
{%- endmacro %}

{% macro duckdb__json_text_array(column) -%}
    cast(from_json({{ column }}, '["VARCHAR"]') as varchar[])
{%- endmacro %}

{# Some values as an array; Spark: array(...). #}
{% macro array_of(values) -%}
    {{ return(adapter.dispatch('array_of', 'sequen')(values)) }}
{%- endmacro %}

{% macro duckdb__array_of(values) -%}
    [{{ values | join(', ') }}]
{%- endmacro %}

{# Whether a text is one of some constants, given as SQL texts; for many of them, in many places. #}
{% macro is_one_of(text, constants) -%}
    {{ return(adapter.dispatch('is_one_of', 'sequen')(text, constants)) }}
{%- endmacro %}

{#
  Not `in (...)` or list_contains: DuckDB makes a join of these. Planning dozens of joins takes longer than
  a small build, and a join is carried out even where its column is not read.
#}
{% macro duckdb__is_one_of(text, constants) -%}
    (coalesce(list_position([{{ constants }}], {{ text }}), 0) > 0)
{%- endmacro %}

{# True for the rows of a table, the one that is read, whose number is among those of another table. #}
{% macro is_in_rows_with(table, number, numbers) -%}
    {{ return(adapter.dispatch('is_in_rows_with', 'sequen')(table, number, numbers)) }}
{%- endmacro %}

{#
  Places of rows first, from the column of numbers alone. In one step the engine would read the other
  columns by a filter that lets some rows in a thousand through, which lie everywhere.
#}
{% macro duckdb__is_in_rows_with(table, number, numbers) -%}
    rowid in (
        select rowid from {{ table }}
        where {{ number }} in (select {{ number }} from {{ numbers }})
    )
{%- endmacro %}
