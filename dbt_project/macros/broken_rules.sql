{#
  Which rules of a table are broken, and by how many rows: one row a broken rule, none where all hold.
  A rule is named by the sentence that people read, so no quotes and no values of rows are in it.

  `rows`: the table, or a subquery for those of its rows that are looked at. `key`: columns or
  expressions that no two rows share, and that are given. `not_null`: columns. `accepted_values`: a
  list of values by column; null passes. `relationships`: a list of mappings with the fields `column`,
  `to` (another table) and `field`; null passes. `queries`: the name of a query of
  queries_of_rules.sql by the sentence that holds where it returns no row.
#}
{% macro broken_rules(rows, key=(), not_null=(), accepted_values={}, relationships=(), queries={}) -%}
with

{% if not_null or accepted_values -%}
rows_counted as (
    select
        {%- for column in not_null %}
            count(case when {{ column }} is null then 1 end) as missing_{{ loop.index }},
        {%- endfor %}
        {%- for column, values in accepted_values.items() %}
            count(case when {{ column }} not in ({{ sequen.literals(values) }}) then 1 end)
                as other_{{ loop.index }},
        {%- endfor %}
        count(*) as row_count
    from {{ rows }}
),

{% endif -%}
rules_counted as (
    select '{{ sequen.key_sentence(key) }}' as rule, count(*) as broken_by
    from ({{ sequen.broken_keys(rows, key) }}) as broken_keys
    {%- for column in not_null %}
        union all
        select '{{ column }} is given', missing_{{ loop.index }} from rows_counted
    {%- endfor %}
    {%- for column, values in accepted_values.items() %}
        union all
        select '{{ column }} is {{ values | join(" or ") | lower }}', other_{{ loop.index }}
        from rows_counted
    {%- endfor %}
    {%- for each in relationships %}
        union all
        select '{{ each.column }} is in {{ sequen.name_in(each.to) }}', count(*)
        from {{ rows }}
        where
            {{ each.column }} not in (
                select parents.{{ each.field }} from {{ each.to }} as parents
                where parents.{{ each.field }} is not null
            )
    {%- endfor %}
    {%- for sentence, query in queries.items() %}
        union all
        select '{{ sentence }}', count(*)
        from (
            {{ sequen.query_of_rule(query) }}
        ) as rows_of_query
    {%- endfor %}
)

select rule, broken_by from rules_counted
where broken_by > 0
{%- endmacro %}

{# The same for the keys of many tables, a list of columns by the name of each. #}
{% macro broken_keys_of(keys) -%}
    {%- for name, key in keys.items() %}
        select '{{ sequen.key_sentence(key) }} in {{ name }}' as rule, count(*) as broken_by
        from ({{ sequen.broken_keys(get_where_subquery(ref(name)), key) }}) as broken_keys
        {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# Every key that more than one row has, or that is not given whole. #}
{% macro broken_keys(rows, key) -%}
    select {{ key | join(', ') }} from {{ rows }}
    group by {{ key | join(', ') }}
    having count(*) > 1 {%- for column in key %} or {{ column }} is null {%- endfor %}
{%- endmacro %}

{% macro key_sentence(key) -%}
    one row per {{ key | join(', ') | replace("'", '') }}
{%- endmacro %}

{% macro name_in(relation) -%}
    {{ (relation | string).split('.')[-1] | replace('"', '') }}
{%- endmacro %}

{# Texts, numbers and booleans as SQL, for `in (...)`. #}
{% macro literals(values) -%}
    {%- for value in values -%}
        {{ "'" ~ value ~ "'" if value is string else value }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
