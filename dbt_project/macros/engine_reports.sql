{# What the reports need and engines spell differently, one dispatched macro a thing. #}

{# A text cut at every separator, as an array of text. `separator`: a literal without quotes. #}
{% macro split_text(column, separator) -%}
    {{ return(adapter.dispatch('split_text', 'sequen')(column, separator)) }}
{%- endmacro %}

{% macro duckdb__split_text(column, separator) -%}
    string_split({{ column }}, '{{ separator }}')
{%- endmacro %}

{# Everything in a text after the first separator; '' where it holds none. #}
{% macro text_after(column, separator) -%}
    {{ return(adapter.dispatch('text_after', 'sequen')(column, separator)) }}
{%- endmacro %}

{% macro duckdb__text_after(column, separator) -%}
    case
        when strpos({{ column }}, '{{ separator }}') > 0
            then substr({{ column }}, strpos({{ column }}, '{{ separator }}') + 1)
        else ''
    end
{%- endmacro %}

{# The texts of an array, joined by a separator. #}
{% macro joined_texts(column, separator) -%}
    {{ return(adapter.dispatch('joined_texts', 'sequen')(column, separator)) }}
{%- endmacro %}

{% macro duckdb__joined_texts(column, separator) -%}
    array_to_string({{ column }}, '{{ separator }}')
{%- endmacro %}

{# How many elements an array has; null for a null array. #}
{% macro array_length(column) -%}
    {{ return(adapter.dispatch('array_length', 'sequen')(column)) }}
{%- endmacro %}

{% macro duckdb__array_length(column) -%}
    len({{ column }})
{%- endmacro %}

{# The element of an array at a position, the first being 1. #}
{% macro array_element(column, position) -%}
    {{ return(adapter.dispatch('array_element', 'sequen')(column, position)) }}
{%- endmacro %}

{% macro duckdb__array_element(column, position) -%}
    list_extract({{ column }}, {{ position }})
{%- endmacro %}

{# Aggregate: the distinct texts of the rows where `condition` holds, sorted by bytes; never null. #}
{% macro sorted_texts(column, condition) -%}
    {{ return(adapter.dispatch('sorted_texts', 'sequen')(column, condition)) }}
{%- endmacro %}

{% macro duckdb__sorted_texts(column, condition) -%}
    coalesce(
        list(distinct {{ column }} order by {{ column }}) filter (where {{ condition }}),
        cast([] as varchar[])
    )
{%- endmacro %}

{# A JSON array of arrays of text (a property_shape) as an array of arrays of text. #}
{% macro json_text_pairs(column) -%}
    {{ return(adapter.dispatch('json_text_pairs', 'sequen')(column)) }}
{%- endmacro %}

{% macro duckdb__json_text_pairs(column) -%}
    cast(from_json({{ column }}, '[["VARCHAR"]]') as varchar[][])
{%- endmacro %}

{#
  Text of the value that some keys lead to, one after the other; null where absent or JSON null. A
  text on the way that is the JSON text of an object counts as that object. `keys`: an array of text.
#}
{% macro json_text_along(column, keys) -%}
    {{ return(adapter.dispatch('json_text_along', 'sequen')(column, keys)) }}
{%- endmacro %}

{# What cannot be read as JSON is an error that would end the whole query. #}
{% macro duckdb__json_text_along(column, keys) -%}
    list_reduce(
        {{ keys }},
        lambda found, key: try(
            json_extract_string(found, '/' || replace(replace(key, '~', '~0'), '/', '~1'))
        ),
        {{ column }}
    )
{%- endmacro %}

{# A name without case, white space, `-` and `_`. #}
{% macro bare_name(column) -%}
    {{ return(adapter.dispatch('bare_name', 'sequen')(column)) }}
{%- endmacro %}

{# U+0085 and the control characters are white space, too, but not separators (Z) of Unicode. #}
{% macro duckdb__bare_name(column) -%}
    lower(regexp_replace({{ column }}, '[\p{Z}\t\n\x0b\x0c\r\x{85}_-]', '', 'g'))
{%- endmacro %}

{# The date a number of days before a date. #}
{% macro days_before(date, days) -%}
    {{ return(adapter.dispatch('days_before', 'sequen')(date, days)) }}
{%- endmacro %}

{% macro duckdb__days_before(date, days) -%}
    {{ date }} - cast({{ days }} as integer)
{%- endmacro %}

{# Whole quotient rounded down, negative numerators too; `divisor`: a positive literal. #}
{% macro floor_divide(numerator, divisor) -%}
    {{ return(adapter.dispatch('floor_divide', 'sequen')(numerator, divisor)) }}
{%- endmacro %}

{% macro duckdb__floor_divide(numerator, divisor) -%}
    (({{ numerator }}) - ((({{ numerator }}) % {{ divisor }}) + {{ divisor }}) % {{ divisor }})
    // {{ divisor }}
{%- endmacro %}

{# Some texts as the text of a JSON array; null stays null in it. #}
{% macro json_array_of(columns) -%}
    {{ return(adapter.dispatch('json_array_of', 'sequen')(columns)) }}
{%- endmacro %}

{% macro duckdb__json_array_of(columns) -%}
    cast(json_array({{ columns | join(', ') }}) as varchar)
{%- endmacro %}

{#
  The values at some paths of the custom fields, nested or under a flat key of the same spelling, cut to
  100 characters.
#}
{% macro json_texts_at(column, paths) -%}
    {%- set texts = [] -%}
    {%- for path in paths -%}
        {%- set flat = sequen.json_text(column, [path | join('.')]) -%}
        {%- set nested = sequen.json_text(column, path) -%}
        {%- do texts.append('substr(coalesce(' ~ flat ~ ', ' ~ nested ~ '), 1, 100)') -%}
    {%- endfor -%}
    {{ return(texts) }}
{%- endmacro %}

{# The names of the keys of a JSON object that may be broken; null where it cannot be read. #}
{% macro json_keys_if_readable(column) -%}
    {{ return(adapter.dispatch('json_keys_if_readable', 'sequen')(column)) }}
{%- endmacro %}

{# A lone surrogate in a key would end the whole query. #}
{% macro duckdb__json_keys_if_readable(column) -%}
    try(json_keys({{ column }}))
{%- endmacro %}

{# Whether the whole text is as the regular expression says. #}
{% macro matches(column, pattern) -%}
    {{ return(adapter.dispatch('matches', 'sequen')(column, pattern)) }}
{%- endmacro %}

{% macro duckdb__matches(column, pattern) -%}
    regexp_full_match({{ column }}, '{{ pattern }}')
{%- endmacro %}

{# ISO day of the week, 1 Monday to 7 Sunday. #}
{% macro day_of_week(date) -%}
    {{ return(adapter.dispatch('day_of_week', 'sequen')(date)) }}
{%- endmacro %}

{% macro duckdb__day_of_week(date) -%}
    isodow({{ date }})
{%- endmacro %}

{#
  What a JSON object says, as a hash: the same for two texts with the same keys and values, whatever the
  order of the keys at any depth, numbers to the digit.
#}
{% macro json_content_md5(column) -%}
    {{ return(adapter.dispatch('json_content_md5', 'sequen')(column)) }}
{%- endmacro %}

{#
  Every number is made a text first, since the engine would read it as a double. Of a text with very
  many brackets the text itself counts: the engine's time grows with their square.
#}
{% macro duckdb__json_content_md5(column) -%}
    case
        when length(regexp_replace({{ column }}, '[^\[{]', '', 'g')) > 10000 then md5({{ column }})
        else (
            select
                md5(cast(list(json_array(fullkey, type, atom) order by fullkey) as varchar))
            from json_tree(
                array_to_string(
                    list_transform(
                        regexp_extract_all({{ column }}, '"(?:[^"\\]|\\.)*"|[^"]+'),
                        lambda token: case
                            when token[1] = '"' then '"s' || substr(token, 2)
                            else regexp_replace(token, '(-?[0-9][-+0-9.eE]*)', '"n\1"', 'g')
                        end
                    ),
                    ''
                )
            )
        )
    end
{%- endmacro %}

{# Aggregate: the value below which some percent of all stand, the sum of `percents`; one that occurs. #}
{% macro value_at_percent(column, percents) -%}
    {{ return(adapter.dispatch('value_at_percent', 'sequen')(column, percents)) }}
{%- endmacro %}

{# Spark: percentile_disc(share) within group (order by column). #}
{% macro duckdb__value_at_percent(column, percents) -%}
    quantile_disc({{ column }}, {{ (percents | sum) / 100 }})
{%- endmacro %}
