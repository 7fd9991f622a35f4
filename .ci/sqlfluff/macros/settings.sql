{# Stands in for macros that reckon with settings: for sqlfluff every one of these is the word `item`. #}

{% macro minutes_in_micros(minutes) %}cast(1 as bigint){% endmacro %}

{% macro days_in_micros(days) %}cast(1 as bigint){% endmacro %}

{% macro words_for_none() %}'null'{% endmacro %}

{% macro words_for_no_order() %}'null'{% endmacro %}

{% macro value_at_percent(column, percents) %}max({{ column }}){% endmacro %}

{% macro carried_value(path, is_as_written=false) %}cast(document as varchar){% endmacro %}
