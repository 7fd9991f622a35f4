{{ config(materialized='ephemeral') }}
with

value_detectors as (
    select distinct path
    from {{ ref('int_completeness_detectors') }}
    where kind = 'event' and detector = 'field' and expected_value is not null
),

int_property_paths as (
    select * from {{ ref('int_property_paths') }}
),

places as (
    select '' as place
    {%- for place in ['properties', 'context', 'traits'] %}
        union all
        select '{{ place }}' as place
    {%- endfor %}
),

fields_looked_up as (
    select distinct
        value_detectors.path,
        places.place,
        case
            when places.place = '' then value_detectors.path
            else places.place || '.' || value_detectors.path
        end as field
    from value_detectors
    cross join places
),

{# The keys that may lead to a field, flat or nested; no path holds the bar. #}
key_lists as (
    select
        path,
        field,
        field as key_list
    from fields_looked_up

    union distinct

    select
        path,
        field,
        replace(field, '.', '|') as key_list
    from fields_looked_up

    union distinct

    select
        path,
        field,
        place || '|' || path as key_list
    from fields_looked_up
    where place <> ''
),

shapes_with_detected_fields as (
    select distinct
        int_property_paths.property_shape,
        key_lists.path,
        key_lists.key_list
    from int_property_paths
    inner join key_lists on int_property_paths.field = key_lists.field
)

select * from shapes_with_detected_fields
