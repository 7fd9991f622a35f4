{# Stands in for a macro of macros/engine_reports.sql: sqlfluff cannot read DuckDB's `lambda` yet. #}

{% macro json_text_along(column, keys) %}list_reduce({{ keys }}, {{ column }}){% endmacro %}
