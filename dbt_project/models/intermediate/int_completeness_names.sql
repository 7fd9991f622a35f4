{{ config(materialized='ephemeral') }}
{# Names are compared without case and the like: few groups hold all that there are. #}
with

int_event_groups as (
    select * from {{ ref('int_event_groups') }}
),

event_detectors as (
    select * from {{ ref('int_completeness_detectors') }}
    where kind = 'event'
),

names_detected as (
    {%- for field in ['type', 'page_type', 'click_type', 'conversion_type'] %}
        select distinct
            '{{ field }}' as detector,
            int_event_groups.{{ field }} as name,
            event_detectors.attribute
        from int_event_groups
        inner join event_detectors
            on
                {{ compared_name(field, 'int_event_groups.' ~ field) }}
                = event_detectors.compared_value
        where event_detectors.detector = '{{ field }}'
        {%- if not loop.last %}

            union all
        {% endif %}
    {%- endfor %}
)

select * from names_detected
