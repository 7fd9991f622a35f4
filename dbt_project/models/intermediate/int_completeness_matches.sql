{{ exact(
    key=['id', 'attribute'],
    scope=['id'],
    touched_by=['fct_events.id', 'int_event_keys.id'],
) }}

{#
  Records, not events, are searched: stg_events holds the shape beside the properties, so that no
  join has to carry JSON. Only what matched is joined, to the records that won their id. Each use of
  all records reads them itself: DuckDB materializes a CTE that is read twice.
#}
{%- set records = ref('stg_events') if is_full_build() else 'records_touched' %}

with
{%- if not is_full_build() %}

    records_touched as (
        select * from {{ ref('stg_events') }}
        where {{ touched_records() }}
    ),
{%- endif %}

fct_events as (
    select * from {{ ref('fct_events') }}
    where {{ touched_records() }}
),

int_completeness_scopes as (
    select * from {{ ref('int_completeness_scopes') }}
),

int_completeness_detectors as (
    select * from {{ ref('int_completeness_detectors') }}
),

int_completeness_shapes as (
    select * from {{ ref('int_completeness_shapes') }}
),

int_property_paths as (
    select * from {{ ref('int_property_paths') }}
),

event_detectors as (
    select * from int_completeness_detectors
    where kind = 'event'
),

event_attributes as (
    select distinct attribute
    from event_detectors
),

shapes_of_event_attributes as (
    select
        int_completeness_shapes.attribute,
        int_completeness_shapes.property_shape
    from int_completeness_shapes
    inner join event_attributes
        on int_completeness_shapes.attribute = event_attributes.attribute
),

value_detectors as (
    select
        attribute,
        paths as field,
        expected_value,
        {{ json_flat_pointer('paths') }} as flat_pointer,
        {{ json_nested_pointer('paths') }} as nested_pointer
    from event_detectors
    where detector = 'field' and expected_value is not null
),

shapes_with_detected_fields as (
    select distinct
        int_property_paths.property_shape,
        value_detectors.flat_pointer,
        value_detectors.nested_pointer
    from int_property_paths
    inner join value_detectors on int_property_paths.field = value_detectors.field
),

{# JSON is read only from records whose shape holds the field: that is the whole cost. #}
detected_values as (
    select
        stg_events.id,
        stg_events.batch_id,
        stg_events.source_line,
        stg_events.source_item,
        shapes_with_detected_fields.flat_pointer,
        {{ json_text_at_pointer(
            'stg_events.properties', 'shapes_with_detected_fields.flat_pointer'
        ) }} as flat_value,
        {{ json_text_at_pointer(
            'stg_events.properties', 'shapes_with_detected_fields.nested_pointer'
        ) }} as nested_value
    from {{ records }} as stg_events
    inner join shapes_with_detected_fields
        on stg_events.property_shape = shapes_with_detected_fields.property_shape
),

records_detected as (
    {%- for field in ['type', 'page_type', 'click_type', 'conversion_type'] %}
        select
            stg_events.id,
            stg_events.batch_id,
            stg_events.source_line,
            stg_events.source_item,
            event_detectors.attribute
        from {{ records }} as stg_events
        inner join event_detectors
            on stg_events.{{ field }} = event_detectors.expected_value
        where event_detectors.detector = '{{ field }}'

        union all
    {% endfor %}
    select
        stg_events.id,
        stg_events.batch_id,
        stg_events.source_line,
        stg_events.source_item,
        shapes_of_event_attributes.attribute
    from {{ records }} as stg_events
    inner join shapes_of_event_attributes
        on stg_events.property_shape = shapes_of_event_attributes.property_shape

    union all

    select
        detected_values.id,
        detected_values.batch_id,
        detected_values.source_line,
        detected_values.source_item,
        value_detectors.attribute
    from detected_values
    inner join value_detectors
        on
            detected_values.flat_pointer = value_detectors.flat_pointer
            and (
                detected_values.flat_value = value_detectors.expected_value
                or detected_values.nested_value = value_detectors.expected_value
            )
),

records_distinct as (
    select distinct
        id,
        batch_id,
        source_line,
        source_item,
        attribute
    from records_detected
),

events_detected as (
    select
        fct_events.id,
        records_distinct.attribute,
        fct_events.session_key,
        fct_events.source,
        fct_events.type,
        fct_events.page_type,
        fct_events.click_type,
        fct_events.conversion_type,
        cast(fct_events.original_timestamp as date) as event_date
    from records_distinct
    inner join fct_events
        on
            records_distinct.id = fct_events.id
            and records_distinct.batch_id = fct_events.batch_id
            and records_distinct.source_line = fct_events.source_line
            and records_distinct.source_item = fct_events.source_item
),

{# An attribute may have several clauses; one that applies is enough, so a semi-join. #}
events_in_scope as (
    select
        id,
        attribute,
        session_key,
        source,
        event_date
    from events_detected
    where
        exists (
            select 1
            from int_completeness_scopes
            where
                events_detected.attribute = int_completeness_scopes.attribute
                and (
                    int_completeness_scopes.type is null
                    or events_detected.type = int_completeness_scopes.type
                )
                and (
                    int_completeness_scopes.field is null
                    {%- for field in ['page_type', 'click_type', 'conversion_type'] %}
                        or (
                            int_completeness_scopes.field = '{{ field }}'
                            and int_completeness_scopes.field_value = events_detected.{{ field }}
                        )
                    {%- endfor %}
                )
        )
)

select * from events_in_scope
