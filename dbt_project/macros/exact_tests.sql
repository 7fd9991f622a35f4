{#
  Tests follow the batch as well: in an incremental `dbt build` they look at the rows whose scope holds
  a change, and leave out public views, which cost as much as the history is long. A full refresh and
  `dbt test` look at whole tables.
#}
{% macro tests_look_at_changes() -%}
    {{ return(execute and flags.WHICH == 'build' and not flags.FULL_REFRESH) }}
{%- endmacro %}

{#
  The tables that a public view is computed from have rules of their own, and to read the training
  set whole takes longer than any table: builds pass over views, `dbt test` looks at them, once a day.
#}
{% macro tests_pass_over_views() -%}
    {{ return(execute and flags.WHICH == 'build') }}
{%- endmacro %}

{#
  True for the rows that the query of a rule looks at: those whose `columns` a changed row of `name` has,
  there called `by` where the names differ.
#}
{% macro changed(name, columns, by=none) -%}
    {%- do ref(name) -%}
    {%- if sequen.tests_look_at_changes() -%}
        ({{ columns | join(', ') }}) in (
            select {{ (by or columns) | join(', ') }} from {{ sequen.changes_relation(name) }}
        )
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{# dbt's own hook for what a generic test reads. #}
{% macro get_where_subquery(relation) -%}
    {%- if sequen.tests_pass_over_views() -%}
        {%- for node in graph.nodes.values()
            if node.resource_type == 'model' and node.name == relation.identifier -%}
            {%- if node.config.materialized == 'view' and node.config.access == 'public' -%}
                {{ return('(select * from ' ~ relation ~ ' where false) as no_rows') }}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if sequen.tests_look_at_changes() -%}
        {%- for node in sequen.exact_models()
            | selectattr('name', 'equalto', relation.identifier) -%}
            {%- set scope = node.config.exact.scope | join(', ') -%}
            {{ return(
                '(select * from ' ~ relation ~ ' where (' ~ scope ~ ') in (select ' ~ scope
                ~ ' from ' ~ sequen.changes_relation(node.name) ~ ')) as changed_rows'
            ) }}
        {%- endfor -%}
    {%- endif -%}
    {{ return(dbt.default__get_where_subquery(relation)) }}
{%- endmacro %}
