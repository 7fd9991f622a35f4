{#
  Where the value of a field lies that a setting names: at the top of the custom fields, else under
  `properties`, `context` or `traits`; in each under one flat key of the same spelling, else nested;
  and wherever an object is looked for, its JSON text will do. The first value that is carried counts.
#}

{# The columns that carried_value looks into: the document itself, and what stands under the holders. #}
{% macro lookup_documents(column) -%}
    {{ column }} as document
    {%- for holder in sequen.lookup_holders() %},
        {#- Null where there is no such object: what is looked up in it then costs nothing. -#}
        case when {{ json_type_at(column, [holder]) }} = 'OBJECT' then {{ column }} end
            as {{ holder }}_document,
        {{ sequen.json_document(column, [holder]) }} as {{ holder }}_text
    {%- endfor %}
{%- endmacro %}

{% macro lookup_holders() -%}
    {{ return(['properties', 'context', 'traits']) }}
{%- endmacro %}

{#
  The first value that is carried, after a sign that says of which kind it is: # a number, " a text, ? a
  boolean, [ an array, { an object; of the last three there is only the sign. Null where there is none.
  `path`: a list of keys; with an empty one there is no such field. `is_as_written`: numbers to the sign,
  and not only to the digit.
#}
{% macro carried_value(path, is_as_written=false) -%}
    {%- if not path -%}
        cast(null as varchar)
    {%- else -%}
        coalesce(
            {{ sequen.first_carried([['document', []]], path, is_as_written) }},
            case
                {#- Few records have a holder: the others are spared all the places in it. #}
                when coalesce(
                    {%- for holder in sequen.lookup_holders() %}
                        {{ holder }}_document, {{ holder }}_text {{- ', ' if not loop.last }}
                    {%- endfor %}
                ) is not null
                    then
                        coalesce(
                            {%- for holder in sequen.lookup_holders() %}
                                {{ sequen.first_carried(
                                    [[holder ~ '_document', [holder]], [holder ~ '_text', []]],
                                    path, is_as_written
                                ) }}
                                {{- ', ' if not loop.last }}
                            {%- endfor %}
                        )
            end
        )
    {%- endif -%}
{%- endmacro %}

{# The same within some documents. `starts`: columns of lookup_documents, and the keys to begin with. #}
{% macro first_carried(starts, path, is_as_written) -%}
    {%- for place in sequen.lookup_places(starts, path) %}
        {{ sequen.json_carried(sequen.innermost_document(place), place[-1], is_as_written) }}
        {{- ', ' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# The number in a value from above, as text: a JSON number, or a text -?digits[.digits]. #}
{% macro carried_number(value) -%}
    case
        when {{ value }} like '#%' then substr({{ value }}, 2)
        else nullif(regexp_extract({{ value }}, '^"(-?[0-9]+([.][0-9]+)?)\z', 1), '')
    end
{%- endmacro %}

{# The text in a value from above; null where it is of another kind. #}
{% macro carried_text(value) -%}
    case when {{ value }} like '"%' then substr({{ value }}, 2) end
{%- endmacro %}

{#
  Every place of a path: a column of lookup_documents, the paths at which the text of a document is opened,
  and the path within the innermost document.
#}
{% macro lookup_places(starts, path) -%}
    {%- set places = [] -%}
    {%- for column, held_under in starts -%}
        {%- if path | length > 1 -%}
            {%- do places.append([column, held_under + [path | join('.')]]) -%}
        {%- endif -%}
        {%- for parts in sequen.ways_to_cut(path) -%}
            {%- do places.append([column, held_under + parts[0]] + parts[1:]) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(places) }}
{%- endmacro %}

{# All ways to cut a list into parts, the list as one part first. #}
{% macro ways_to_cut(path) -%}
    {%- set ways = [[path]] -%}
    {%- for length in range(1, path | length) -%}
        {%- for rest in sequen.ways_to_cut(path[length:]) -%}
            {%- do ways.append([path[:length]] + rest) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(ways) }}
{%- endmacro %}

{% macro innermost_document(place) -%}
    {%- set found = namespace(document=place[0]) -%}
    {%- for path in place[1:-1] -%}
        {%- set found.document = sequen.json_document(found.document, path) -%}
    {%- endfor -%}
    {{ return(found.document) }}
{%- endmacro %}

{# The JSON text that a document holds as a text at a path; null where there is none. #}
{% macro json_document(document, path) -%}
    {{ return(adapter.dispatch('json_document', 'sequen')(document, path)) }}
{%- endmacro %}

{#
  What cannot be read, a lone surrogate among it, would end the whole query. A case in a case: DuckDB
  works out both sides of an `and` for every row.
#}
{% macro duckdb__json_document(document, path) -%}
    {%- set place = "'" ~ sequen.json_path(path) ~ "'" -%}
    case json_type({{ document }}, {{ place }})
        when 'VARCHAR'
            then
                case
                    when json_valid(json_extract_string({{ document }}, {{ place }}))
                        then json_extract_string({{ document }}, {{ place }})
                end
    end
{%- endmacro %}

{# The value at a path, with its sign (see carried_value) where it is carried; else null. #}
{% macro json_carried(document, path, is_as_written) -%}
    {{ return(adapter.dispatch('json_carried', 'sequen')(document, path, is_as_written)) }}
{%- endmacro %}

{#
  DuckDB reads a JSON number with a point or an exponent through a double, which keeps 15 digits: where
  the document has a longer run, its numbers are quoted before the number is taken out. Remove that, and
  123456789012.345678 loses its last digit.
#}
{% macro duckdb__json_carried(document, path, is_as_written) -%}
    {%- set place = "'" ~ sequen.json_path(path) ~ "'" -%}
    {%- set text = 'json_extract_string(' ~ document ~ ', ' ~ place ~ ')' -%}
    case json_type({{ document }}, {{ place }})
        when 'VARCHAR'
            then
                case
                    when
                        not {{ sequen.is_blank_or_empty(text) }}
                        and not {{ sequen.is_one_of('lower(' ~ text ~ ')', sequen.words_for_none()) }}
                        then '"' || {{ text }}
                end
        when 'UBIGINT' then '#' || {{ text }}
        when 'BIGINT' then '#' || {{ text }}
        when 'DOUBLE'
            then
                '#' || json_extract_string(
                    {%- if is_as_written %}
                        {{ sequen.duckdb_numbers_quoted(document) }},
                    {%- else %}
                        case
                            when regexp_matches({{ document }}, '[0-9.]{16}')
                                then {{ sequen.duckdb_numbers_quoted(document) }}
                            else {{ document }}
                        end,
                    {%- endif %}
                    {{ place }}
                )
        when 'BOOLEAN' then '?'
        when 'ARRAY' then case when {{ text }} <> '[]' then '[' end
        when 'OBJECT' then case when {{ text }} <> '{}' then '{' end
    end
{%- endmacro %}

{# A JSON text whose numbers are texts; the texts have a mark of their own meanwhile. #}
{% macro duckdb_numbers_quoted(document) -%}
    regexp_replace(
        regexp_replace(
            {{ document }},
            '("(?:[^"\\]|\\.)*")|(-?[0-9][-+.eE0-9]*)', '\1"\2"', 'g'
        ),
        '("(?:[^"\\]|\\.)*")(?:"")?', '\1', 'g'
    )
{%- endmacro %}

{#
  Whether a text is blank, or the JSON text of an empty array or object. The class holds the 25 code
  points with the Unicode property White_Space; \s knows only ASCII.
#}
{% macro is_blank_or_empty(text) -%}
    {%- set blanks = '[\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}'
        ~ '\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}]*' -%}
    {{ sequen.matches(
        text, blanks ~ '(?:\\[' ~ blanks ~ '\\]|\\{' ~ blanks ~ '\\})?' ~ blanks
    ) }}
{%- endmacro %}

{# The elements of an array of texts in order, as JSON text: equal for two that hold the same. #}
{% macro json_of_sorted(column) -%}
    {{ return(adapter.dispatch('json_of_sorted', 'sequen')(column)) }}
{%- endmacro %}

{% macro duckdb__json_of_sorted(column) -%}
    cast(to_json(list_sort({{ column }})) as varchar)
{%- endmacro %}
