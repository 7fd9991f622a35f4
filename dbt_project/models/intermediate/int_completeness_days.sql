{{ exact(
    key=['source', 'attribute', 'day'],
    scope=['day'],
    touched_by=[
        'int_touched_event_days.day',
        'int_touched_session_days.day',
        'int_completeness_matches.event_date',
    ],
) }}

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

int_completeness_matches as (
    select * from {{ ref('int_completeness_matches') }}
),

int_event_groups as (
    select * from {{ ref('int_event_groups') }}
    where {{ touched(['event_date']) }}
),

int_session_sources as (
    select * from {{ ref('int_session_sources') }}
    where {{ touched(['session_date']) }}
),

reserved_bits as (
    {{ reserved_bits() }}
),

groups_distinct as (
    select distinct
        group_key,
        type,
        page_type,
        click_type,
        conversion_type,
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
                or groups_distinct.type = int_completeness_scopes.type
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
                        and groups_distinct.{{ field }} = int_completeness_scopes.field_value
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
                or int_completeness_detectors.type = groups_distinct.type
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
            on groups_distinct.{{ field }} = int_completeness_detectors.expected_value
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

groups_judged as (
    select
        groups_in_scope.group_key,
        groups_in_scope.attribute,
        groups_carrying.attribute is not null as is_carrying
    from groups_in_scope
    left join groups_carrying
        on
            groups_in_scope.group_key = groups_carrying.group_key
            and groups_in_scope.attribute = groups_carrying.attribute
),

{# A field attribute counts events; of kind event only those that match, in carrying_events. #}
events_counted as (
    select
        int_event_groups.source,
        int_event_groups.event_date as day,
        groups_judged.attribute,
        sum(int_event_groups.event_count) as applicable_events,
        sum(
            case when groups_judged.is_carrying then int_event_groups.event_count else 0 end
        ) as carrying_events
    from int_event_groups
    inner join groups_judged on int_event_groups.group_key = groups_judged.group_key
    group by 1, 2, 3
),

matches_counted as (
    select
        source,
        event_date as day,
        attribute,
        0 as applicable_events,
        count(*) as carrying_events
    from int_completeness_matches
    where {{ touched(['event_date']) }}
    group by 1, 2, 3
),

days_with_events as (
    select distinct
        source,
        event_date as day
    from int_event_groups
),

days_without_counts as (
    select
        days_with_events.source,
        days_with_events.day,
        int_completeness_attributes.attribute,
        0 as applicable_events,
        0 as carrying_events
    from days_with_events
    cross join int_completeness_attributes
),

event_counts_united as (
    select * from events_counted
    union all
    select * from matches_counted
    union all
    select * from days_without_counts
),

event_counts_by_day as (
    select
        coalesce(source, '(all)') as source,
        day,
        attribute,
        sum(applicable_events) as applicable_events,
        sum(carrying_events) as carrying_events,
        0 as session_count,
        0 as matching_session_count
    from event_counts_united
    group by grouping sets ((source, day, attribute), (day, attribute))
),

{# A session of two sources is one session of (all): there it counts with the first of them. #}
sessions_counted as (
    select
        source,
        session_date as day,
        count(*) as session_count
    from int_session_sources
    group by 1, 2

    union all

    select
        '(all)' as source,
        session_date as day,
        count(*) as session_count
    from int_session_sources
    where is_first_source
    group by 2
),

session_counts_by_day as (
    select
        sessions_counted.source,
        sessions_counted.day,
        int_completeness_attributes.attribute,
        0 as applicable_events,
        0 as carrying_events,
        sessions_counted.session_count,
        0 as matching_session_count
    from sessions_counted
    cross join int_completeness_attributes
    where int_completeness_attributes.kind = 'event'
),

sessions_matching as (
    select distinct
        attribute,
        source,
        session_key
    from int_completeness_matches
),

matching_session_counts_by_day as (
    select
        coalesce(int_session_sources.source, '(all)') as source,
        int_session_sources.session_date as day,
        sessions_matching.attribute,
        0 as applicable_events,
        0 as carrying_events,
        0 as session_count,
        count(distinct int_session_sources.session_key) as matching_session_count
    from sessions_matching
    inner join int_session_sources
        on
            sessions_matching.session_key = int_session_sources.session_key
            and sessions_matching.source = int_session_sources.source
    group by grouping sets (
        (int_session_sources.source, int_session_sources.session_date, sessions_matching.attribute),
        (int_session_sources.session_date, sessions_matching.attribute)
    )
),

counts_united as (
    select * from event_counts_by_day
    union all
    select * from session_counts_by_day
    union all
    select * from matching_session_counts_by_day
),

counts_by_day as (
    select
        source,
        attribute,
        cast(sum(applicable_events) as bigint) as applicable_events,
        cast(sum(carrying_events) as bigint) as carrying_events,
        cast(sum(session_count) as bigint) as session_count,
        cast(sum(matching_session_count) as bigint) as matching_session_count,
        day
    from counts_united
    group by 1, 2, 7
)

select * from counts_by_day
