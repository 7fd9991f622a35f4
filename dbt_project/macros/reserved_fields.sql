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
