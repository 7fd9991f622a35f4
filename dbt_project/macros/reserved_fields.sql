{#
  The reserved and type fields whose presence the reports count, in the order of the spec. `id` and
  `ingest_timestamp` are left out: the pipeline fills both in, so their presence says nothing.
  int_event_groups keeps the presence of field n as bit n of one number; append only.
#}
{% macro reserved_fields() -%}
    {{ return([
        'type', 'original_timestamp', 'server_timestamp', 'uid', 'sid', 'cid', 'rec_id',
        'page_view_id', 'module_view_id', 'impression_id', 'rank', 'item_id', 'item_ids',
        'item_id_relation', 'page_type', 'click_type', 'conversion_type', 'dwell_ms',
    ]) }}
{%- endmacro %}

{# The bit of each of these fields, one row a field. #}
{% macro reserved_bits() -%}
    {%- for field in reserved_fields() %}
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

{% macro link_fields() -%}
    {{ return(['page_view_id', 'module_view_id', 'impression_id']) }}
{%- endmacro %}

{# The event types of the spec. #}
{% macro standard_types() -%}
    {{ return([
        'page_view', 'module_view', 'impression', 'click', 'conversion', 'dwell_time',
        'scroll',
    ]) }}
{%- endmacro %}
