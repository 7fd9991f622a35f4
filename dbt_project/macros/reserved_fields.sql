{# int_event_groups keeps the presence of field n of reserved_fields() as bit n of one number. #}

{# The bit of each of these fields, one row a field. #}
{% macro reserved_bits() -%}
    {%- for field in sequen.reserved_fields() %}
        select
            '{{ field }}' as field,
            {{ 2 ** loop.index0 }} as field_bit
        {%- if not loop.last %}
            union all
        {%- endif %}
    {%- endfor %}
{%- endmacro %}

{# The bit of one of them. #}
{% macro reserved_bit(field) -%}
    {{ 2 ** sequen.reserved_fields().index(field) }}
{%- endmacro %}

{# Aggregate, beside reserved_bits: the events of the groups whose number has the bit of the field. #}
{% macro counted_where_set(bits, event_count) -%}
    sum(case when ({{ bits }} & reserved_bits.field_bit) <> 0 then {{ event_count }} else 0 end)
{%- endmacro %}

{# Whether a field names another event. #}
{% macro is_link_field(field) -%}
    {{ field }} in ({% for link in sequen.link_fields() %}'{{ link }}'{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}
