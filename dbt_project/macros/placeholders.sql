{# Whole values that mean none, as the settings name them. They are compared in lower case. #}

{# The words that mean none in a custom field, as SQL texts for `is_one_of`. #}
{% macro words_for_none() -%}
    {{ sequen.words_as_texts(var('sequen_placeholder_ids') + ['n/a', 'unknown']) }}
{%- endmacro %}

{# All words that mean none or name no person: what no order is named by. #}
{% macro words_for_no_order() -%}
    {{ sequen.words_as_texts(
        var('sequen_placeholder_ids') + var('sequen_placeholder_identities') + ['n/a', 'unknown']
    ) }}
{%- endmacro %}

{% macro words_as_texts(words) -%}
    {%- for word in words | map('lower') | unique -%}
        '{{ word | replace("'", "''") }}'{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
