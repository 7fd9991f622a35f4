{# All rules of one table in one query: see macros/broken_rules.sql. #}
{% test rules(model, key, not_null=(), accepted_values={}, relationships=(), queries={}) %}

    {{ sequen.broken_rules(model, key, not_null, accepted_values, relationships, queries) }}

{% endtest %}
