with

int_event_groups as (
    select * from {{ ref('int_event_groups') }}
),

int_property_paths as (
    select * from {{ ref('int_property_paths') }}
),

shapes_counted as (
    select
        coalesce(source, '(all)') as source,
        type,
        property_shape,
        sum(event_count) as event_count,
        min(event_date) as first_seen_date,
        max(event_date) as last_seen_date
    from int_event_groups
    group by grouping sets ((source, type, property_shape), (type, property_shape))
),

types_counted as (
    select
        source,
        type,
        sum(event_count) as event_count
    from shapes_counted
    group by 1, 2
),

{# A field that holds a word for none is listed and not carried. #}
paths_distinct as (
    select
        property_shape,
        field,
        max(case when is_carried then 1 else 0 end) as carried
    from int_property_paths
    group by 1, 2
),

fields_counted as (
    select
        shapes_counted.source,
        shapes_counted.type,
        paths_distinct.field,
        sum(shapes_counted.event_count * paths_distinct.carried) as event_count,
        min(shapes_counted.first_seen_date) as first_seen_date,
        max(shapes_counted.last_seen_date) as last_seen_date
    from shapes_counted
    inner join paths_distinct on shapes_counted.property_shape = paths_distinct.property_shape
    group by 1, 2, 3
),

kinds_dated as (
    select
        shapes_counted.source,
        shapes_counted.type,
        int_property_paths.field,
        int_property_paths.base_kind,
        min(shapes_counted.first_seen_date) as first_seen_date
    from shapes_counted
    inner join int_property_paths
        on shapes_counted.property_shape = int_property_paths.property_shape
    group by 1, 2, 3, 4
),

kinds_listed as (
    select
        source,
        type,
        field,
        {{ sorted_texts('base_kind', 'true') }} as kinds,
        count(*) as kind_count,
        max(first_seen_date) as latest_kind_date
    from kinds_dated
    group by 1, 2, 3
),

fields_described as (
    select
        fields_counted.source,
        fields_counted.type,
        fields_counted.field,
        kinds_listed.kinds,
        cast(fields_counted.event_count as bigint) as event_count,
        cast(fields_counted.event_count as double)
        / cast(types_counted.event_count as double) as coverage,
        kinds_listed.kind_count > 1 as is_drifting,
        fields_counted.first_seen_date,
        fields_counted.last_seen_date,
        case
            when kinds_listed.kind_count > 1 then kinds_listed.latest_kind_date
        end as latest_kind_date
    from fields_counted
    inner join kinds_listed
        on
            fields_counted.source = kinds_listed.source
            and fields_counted.type = kinds_listed.type
            and fields_counted.field = kinds_listed.field
    inner join types_counted
        on
            fields_counted.source = types_counted.source
            and fields_counted.type = types_counted.type
)

select * from fields_described
