{# Fails with every key that more than one row has, and with every null in it, in one scan. #}
{% test unique_key(model, columns=none, column_name=none) %}

    {%- set key = columns or [column_name] %}

select
    {{ key | join(', ') }},
    count(*) as row_count
from {{ model }}
group by {{ key | join(', ') }}
having count(*) > 1 {% for column in key %}or {{ column }} is null {% endfor %}

{% endtest %}
