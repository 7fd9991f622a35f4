with

int_completeness_attributes as (
    select * from {{ ref('int_completeness_attributes') }}
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

int_event_groups as (
    select * from {{ ref('int_event_groups') }}
),

reserved_bits as (
    {{ reserved_bits() }}
),

{# Types and their like as they are compared. #}
groups_distinct as (
    select distinct
        group_key,
        {{ compared_name('type', 'type') }} as type,
        {%- for field in ['page_type', 'click_type', 'conversion_type'] %}
            {{ compared_name(field, field) }} as {{ field }},
        {%- endfor %}
        property_shape,
        page_property_shape,
        reserved_fields,
        is_session_first_page_view,
        has_dwell_time_event
    from int_event_groups
),

groups_in_scope as (
    select distinct
        groups_distinct.group_key,
        int_completeness_scopes.attribute
    from groups_distinct
    inner join int_completeness_scopes
        on
            (
                int_completeness_scopes.type is null
                or groups_distinct.type = int_completeness_scopes.compared_type
            )
            and (
                int_completeness_scopes.scope <> 'session_first_page_view'
                or groups_distinct.is_session_first_page_view
            )
            and (
                int_completeness_scopes.field is null
                {%- for field in ['page_type', 'click_type', 'conversion_type'] %}
                    or (
                        int_completeness_scopes.field = '{{ field }}'
                        and groups_distinct.{{ field }}
                        = int_completeness_scopes.compared_value
                    )
                {%- endfor %}
            )
    inner join int_completeness_attributes
        on int_completeness_scopes.attribute = int_completeness_attributes.attribute
    where int_completeness_attributes.kind = 'field'
),

groups_by_own_fields as (
    select
        groups_distinct.group_key,
        int_completeness_shapes.attribute
    from groups_distinct
    inner join int_completeness_shapes
        on groups_distinct.property_shape = int_completeness_shapes.property_shape
),

groups_by_page_fields as (
    select
        groups_distinct.group_key,
        int_completeness_shapes.attribute
    from groups_distinct
    inner join int_completeness_shapes
        on groups_distinct.page_property_shape = int_completeness_shapes.property_shape
    inner join int_completeness_detectors
        on int_completeness_shapes.attribute = int_completeness_detectors.attribute
    where int_completeness_detectors.detector = 'resolved_page_view'
),

groups_by_reserved_fields as (
    select
        groups_distinct.group_key,
        int_completeness_detectors.attribute
    from int_completeness_detectors
    inner join reserved_bits on int_completeness_detectors.field = reserved_bits.field
    inner join groups_distinct
        on
            (groups_distinct.reserved_fields & reserved_bits.field_bit) <> 0
            and (
                int_completeness_detectors.type is null
                or int_completeness_detectors.compared_type = groups_distinct.type
            )
    where int_completeness_detectors.detector = 'reserved'
),

groups_by_type_fields as (
    {%- for field in ['type', 'page_type', 'click_type', 'conversion_type'] %}
        select
            groups_distinct.group_key,
            int_completeness_detectors.attribute
        from groups_distinct
        inner join int_completeness_detectors
            on groups_distinct.{{ field }} = int_completeness_detectors.compared_value
        where int_completeness_detectors.detector = '{{ field }}'
        {%- if not loop.last %}

            union all
        {% endif %}
    {%- endfor %}
),

groups_by_dwell_time as (
    select
        groups_distinct.group_key,
        int_completeness_detectors.attribute
    from groups_distinct
    inner join int_completeness_detectors
        on
            int_completeness_detectors.detector = 'dwell_time_event'
            and groups_distinct.has_dwell_time_event
),

groups_carrying as (
    select * from groups_by_own_fields
    union distinct
    select * from groups_by_page_fields
    union distinct
    select * from groups_by_reserved_fields
    union distinct
    select * from groups_by_type_fields
    union distinct
    select * from groups_by_dwell_time
),

groups_checked as (
    select
        groups_in_scope.group_key,
        groups_in_scope.attribute,
        groups_carrying.attribute is not null as is_carrying
    from groups_in_scope
    left join groups_carrying
        on
            groups_in_scope.group_key = groups_carrying.group_key
            and groups_in_scope.attribute = groups_carrying.attribute
)

select * from groups_checked
