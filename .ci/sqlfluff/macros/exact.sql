{# Stands in for macros/exact.sql, whose materialization only dbt can read: an incremental build. #}

{% macro exact(key, affected_by, scope=none, unlogged=(), is_hashed=false) %}{% endmacro %}

{% macro affected(columns) -%}
    ({{ columns | join(', ') }}) in (select * from affected_rows)
{%- endmacro %}

{% macro affected_records(table=none) %}{{ affected(['id']) }}{% endmacro %}

{% macro changes(name) %}changes.{{ name }}{% endmacro %}

{% macro is_full_build() %}{% endmacro %}

{% macro changed(name, columns, by=none) -%}
    ({{ columns | join(', ') }}) in (select * from changes.{{ name }})
{%- endmacro %}

{% macro tests_look_at_changes() %}{% endmacro %}

{% macro changes_of(name, columns) %}(select {{ columns | join(', ') }} from changes.{{ name }}){% endmacro %}

{% macro changes_since(name, columns, is_new) %}(select {{ columns | join(', ') }} from changes.{{ name }}){% endmacro %}


{% macro get_where_subquery(relation) %}{{ relation }}{% endmacro %}
