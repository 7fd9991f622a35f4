{{ exact(
    key=['group_key', 'source', 'event_date'],
    scope=['event_date'],
    affected_by=[{'rows_of': 'int_affected_event_days', 'columns': ['day']}],
) }}

{%- set breakdowns = var('sequen_breakdowns') %}

{# Every table is imported once for each use: DuckDB materializes a CTE that is read twice. #}
with

fct_events as (
    select * from {{ ref('fct_events') }}
    where {{ affected(['cast(original_timestamp as date)']) }}
),

int_event_keys as (
    select
        id,
        property_shape
    from {{ ref('int_event_keys') }}
    where {{ affected(['cast(original_timestamp as date)']) }}
),

pages_of_events as (
    select case when type = 'page_view' then id else linked_page_view_id end as page_view_id
    from {{ ref('fct_events') }}
    where {{ affected(['cast(original_timestamp as date)']) }}
),

int_page_views_marked as (
    select * from {{ ref('int_page_views_marked') }}
    where id in (select pages_of_events.page_view_id from pages_of_events)
),

shapes_distinct as (
    select coalesce(property_shape, '[]') as property_shape
    from {{ ref('int_event_keys') }}
    where {{ affected(['cast(original_timestamp as date)']) }}

    union distinct

    select property_shape
    from int_page_views_marked
),

{# A number instead of the text keeps the joins and the grouping narrow; it is never stored. #}
shapes_numbered as (
    select
        property_shape,
        row_number() over (order by property_shape) as shape_number
    from shapes_distinct
),

event_shapes as (
    select
        int_event_keys.id,
        shapes_numbered.shape_number
    from int_event_keys
    inner join shapes_numbered
        on coalesce(int_event_keys.property_shape, '[]') = shapes_numbered.property_shape
),

page_views_marked as (
    select
        int_page_views_marked.id,
        shapes_numbered.shape_number,
        int_page_views_marked.has_dwell_time_event,
        int_page_views_marked.is_session_first_page_view
    from int_page_views_marked
    inner join shapes_numbered
        on int_page_views_marked.property_shape = shapes_numbered.property_shape
),

{# A page_view looks itself up, for its marks; every other event the page_view it resolves to. #}
events_narrowed as (
    select
        id,
        source,
        type,
        page_type,
        click_type,
        conversion_type,
        case when type = 'page_view' then id else linked_page_view_id end as marked_page_view_id,
        {%- for field in reserved_fields() %}
            case when {{ field }} is null then 0 else {{ 2 ** loop.index0 }} end
            {%- if not loop.last %} + {%- endif %}
        {%- endfor %} as reserved_fields,
        {%- for field in link_fields() %}
            case
                when {{ field | replace('_id', '_link') }} = 'resolved'
                    then {{ reserved_bit(field) }}
                else 0
            end
            {%- if not loop.last %} + {%- endif %}
        {%- endfor %} as resolved_fields,
        {% if breakdowns -%}
            {{ json_array_of(json_texts_at('properties', breakdowns)) }}
        {%- else -%}
            '[]'
        {%- endif %} as breakdown_values,
        cast(original_timestamp as date) as event_date
    from fct_events
),

events_grouped as (
    select
        events_narrowed.source,
        events_narrowed.type,
        events_narrowed.page_type,
        events_narrowed.click_type,
        events_narrowed.conversion_type,
        event_shapes.shape_number,
        case
            when events_narrowed.type <> 'page_view' then page_views_marked.shape_number
        end as page_shape_number,
        events_narrowed.reserved_fields,
        events_narrowed.resolved_fields,
        events_narrowed.breakdown_values,
        events_narrowed.type = 'page_view'
        and page_views_marked.is_session_first_page_view as is_session_first_page_view,
        events_narrowed.type = 'page_view'
        and page_views_marked.has_dwell_time_event as has_dwell_time_event,
        events_narrowed.event_date,
        count(*) as event_count
    from events_narrowed
    left join page_views_marked on events_narrowed.marked_page_view_id = page_views_marked.id
    inner join event_shapes on events_narrowed.id = event_shapes.id
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
),

groups_spelled_out as (
    select
        {{ md5_of_array([
            'events_grouped.type',
            'events_grouped.page_type',
            'events_grouped.click_type',
            'events_grouped.conversion_type',
            'shapes_numbered.property_shape',
            'page_shapes.property_shape',
            'events_grouped.breakdown_values',
            'cast(events_grouped.reserved_fields as varchar)',
            'cast(events_grouped.resolved_fields as varchar)',
            'cast(events_grouped.is_session_first_page_view as varchar)',
            'cast(events_grouped.has_dwell_time_event as varchar)',
        ]) }} as group_key,
        events_grouped.source,
        events_grouped.type,
        events_grouped.page_type,
        events_grouped.click_type,
        events_grouped.conversion_type,
        shapes_numbered.property_shape,
        page_shapes.property_shape as page_property_shape,
        events_grouped.breakdown_values,
        cast(events_grouped.reserved_fields as bigint) as reserved_fields,
        cast(events_grouped.resolved_fields as bigint) as resolved_fields,
        events_grouped.event_count,
        events_grouped.is_session_first_page_view,
        events_grouped.has_dwell_time_event,
        events_grouped.event_date
    from events_grouped
    inner join shapes_numbered on events_grouped.shape_number = shapes_numbered.shape_number
    left join shapes_numbered as page_shapes
        on events_grouped.page_shape_number = page_shapes.shape_number
)

select * from groups_spelled_out
