with

int_breakdown_groups as (
    select * from {{ ref('int_breakdown_groups') }}
),

reserved_bits as (
    {{ reserved_bits() }}
),

groups_summed as (
    select
        coalesce(source, '(all)') as source,
        type,
        breakdown,
        breakdown_value,
        reserved_fields,
        resolved_fields,
        sum(event_count) as event_count,
        min(first_date) as first_date,
        max(last_date) as last_date
    from int_breakdown_groups
    group by grouping sets (
        (source, type, breakdown, breakdown_value, reserved_fields, resolved_fields),
        (type, breakdown, breakdown_value, reserved_fields, resolved_fields)
    )
),

fields_counted as (
    select
        groups_summed.source,
        groups_summed.type,
        groups_summed.breakdown,
        groups_summed.breakdown_value,
        reserved_bits.field,
        cast(sum(groups_summed.event_count) as bigint) as event_count,
        cast(
            {{ counted_where_set('groups_summed.reserved_fields', 'groups_summed.event_count') }}
            as bigint
        ) as carrying_events,
        cast(
            {{ counted_where_set('groups_summed.resolved_fields', 'groups_summed.event_count') }}
            as bigint
        ) as resolved_events,
        min(groups_summed.first_date) as first_seen_date,
        max(groups_summed.last_date) as last_seen_date
    from groups_summed
    cross join reserved_bits
    group by 1, 2, 3, 4, 5
),

fields_covered as (
    select
        source,
        type,
        breakdown,
        breakdown_value,
        field,
        event_count,
        carrying_events,
        case when {{ is_link_field('field') }} then resolved_events end as resolved_events,
        cast(carrying_events as double) / event_count as coverage,
        first_seen_date,
        last_seen_date
    from fields_counted
)

select * from fields_covered
