{{ exact(
    key=['id', 'attribute'],
    scope=['id'],
    affected_by=[
        {'changes_of': 'fct_events', 'columns': ['id']},
        {'changes_of': 'int_event_keys', 'columns': ['id']},
    ],
) }}

{#
  Records, not events, are searched: stg_events holds the shape beside the properties, so that no
  join has to carry JSON. Only what matched is joined, to the records that won their id. Each use of
  all records reads them itself: DuckDB materializes a CTE that is read twice.
#}
{%- set records = ref('stg_events') if is_full_build() else 'records_affected' %}

with
{%- if not is_full_build() %}

    records_affected as (
        select * from {{ ref('stg_events') }}
        where {{ affected_records() }}
    ),
{%- endif %}

fct_events as (
    select * from {{ ref('fct_events') }}
    where {{ affected_records(ref('fct_events')) }}
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

int_completeness_names as (
    select * from {{ ref('int_completeness_names') }}
),

int_completeness_value_shapes as (
    select * from {{ ref('int_completeness_value_shapes') }}
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
        path,
        compared_value
    from event_detectors
    where detector = 'field' and expected_value is not null
),

{# JSON is read only from records whose shape holds the field: that is the whole cost. #}
detected_values as (
    select
        stg_events.id,
        stg_events.batch_id,
        stg_events.source_line,
        stg_events.source_item,
        int_completeness_value_shapes.path,
        {{ json_text_along(
            'stg_events.properties', split_text('int_completeness_value_shapes.key_list', '|')
        ) }} as detected_value
    from {{ records }} as stg_events
    inner join int_completeness_value_shapes
        on stg_events.property_shape = int_completeness_value_shapes.property_shape
),

values_compared as (
    select
        id,
        batch_id,
        source_line,
        source_item,
        path,
        {{ bare_name('detected_value') }} as compared_value
    from detected_values
),

records_detected as (
    {%- for field in ['type', 'page_type', 'click_type', 'conversion_type'] %}
        select
            stg_events.id,
            stg_events.batch_id,
            stg_events.source_line,
            stg_events.source_item,
            int_completeness_names.attribute
        from {{ records }} as stg_events
        inner join int_completeness_names on stg_events.{{ field }} = int_completeness_names.name
        where int_completeness_names.detector = '{{ field }}'

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
        values_compared.id,
        values_compared.batch_id,
        values_compared.source_line,
        values_compared.source_item,
        value_detectors.attribute
    from values_compared
    inner join value_detectors
        on
            values_compared.path = value_detectors.path
            and values_compared.compared_value = value_detectors.compared_value
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

looks_distinct as (
    select distinct
        attribute,
        {%- for field in ['type', 'page_type', 'click_type', 'conversion_type'] %}
            {{ field }},
            {{ compared_name(field, field) }} as compared_{{ field }}
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from events_detected
),

{# An attribute may have several scopes; one that applies is enough, so a semi-join. #}
looks_in_scope as (
    select
        attribute,
        type,
        page_type,
        click_type,
        conversion_type
    from looks_distinct
    where
        exists (
            select 1
            from int_completeness_scopes
            where
                looks_distinct.attribute = int_completeness_scopes.attribute
                and (
                    int_completeness_scopes.type is null
                    or looks_distinct.compared_type = int_completeness_scopes.compared_type
                )
                and (
                    int_completeness_scopes.field is null
                    {%- for field in ['page_type', 'click_type', 'conversion_type'] %}
                        or (
                            int_completeness_scopes.field = '{{ field }}'
                            and int_completeness_scopes.compared_value
                            = looks_distinct.compared_{{ field }}
                        )
                    {%- endfor %}
                )
        )
),

events_in_scope as (
    select
        events_detected.id,
        events_detected.attribute,
        events_detected.session_key,
        events_detected.source,
        events_detected.event_date
    from events_detected
    inner join looks_in_scope
        on
            events_detected.attribute = looks_in_scope.attribute
            and events_detected.type = looks_in_scope.type
            {%- for field in ['page_type', 'click_type', 'conversion_type'] %}
                and events_detected.{{ field }} is not distinct from looks_in_scope.{{ field }}
            {%- endfor %}
)

select * from events_in_scope
