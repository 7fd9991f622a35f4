with

int_event_groups as (
    select * from {{ ref('int_event_groups') }}
),

int_batch_types as (
    select * from {{ ref('int_batch_types') }}
),

int_batch_broken_fields as (
    select * from {{ ref('int_batch_broken_fields') }}
),

mandatory_fields as (
    select * from {{ ref('mandatory_fields') }}
),

reserved_bits as (
    {{ reserved_bits() }}
),

events_counted as (
    select
        coalesce(source, '(all)') as source,
        type,
        reserved_fields,
        resolved_fields,
        sum(event_count) as event_count
    from int_event_groups
    group by grouping sets (
        (source, type, reserved_fields, resolved_fields), (type, reserved_fields, resolved_fields)
    )
),

presence_counted as (
    select
        events_counted.source,
        events_counted.type,
        reserved_bits.field,
        sum(events_counted.event_count) as event_count,
        {{ counted_where_set('events_counted.reserved_fields', 'events_counted.event_count') }}
            as carrying_events,
        {{ counted_where_set('events_counted.resolved_fields', 'events_counted.event_count') }}
            as resolved_events
    from events_counted
    cross join reserved_bits
    group by 1, 2, 3
),

records_counted as (
    select
        coalesce(source, '(all)') as source,
        type,
        sum(accepted) + sum(quarantined) as records_read
    from int_batch_types
    group by grouping sets ((source, type), (type))
),

broken_records_counted as (
    select
        coalesce(source, '(all)') as source,
        type,
        field,
        sum(broken_records) as broken_records
    from int_batch_broken_fields
    group by grouping sets ((source, type, field), (type, field))
),

{# The type '*' of the seed stands for every type, '(none)' included. #}
mandatory_records_counted as (
    select distinct
        records_counted.source,
        records_counted.type,
        mandatory_fields.field,
        records_counted.records_read,
        coalesce(broken_records_counted.broken_records, 0) as broken_records
    from records_counted
    inner join mandatory_fields
        on records_counted.type = mandatory_fields.type or mandatory_fields.type = '*'
    left join broken_records_counted
        on
            records_counted.source = broken_records_counted.source
            and records_counted.type = broken_records_counted.type
            and mandatory_fields.field = broken_records_counted.field
),

{# Of a type whose every record was quarantined there is no event, only its mandatory fields. #}
keys_united as (
    select
        source,
        type,
        field
    from presence_counted
    union distinct
    select
        source,
        type,
        field
    from mandatory_records_counted
),

coverage_measured as (
    select
        keys_united.source,
        keys_united.type,
        keys_united.field,
        cast(coalesce(presence_counted.event_count, 0) as bigint) as event_count,
        cast(coalesce(presence_counted.carrying_events, 0) as bigint) as carrying_events,
        case
            when {{ is_link_field('keys_united.field') }}
                then cast(coalesce(presence_counted.resolved_events, 0) as bigint)
        end as resolved_events,
        cast(records_counted.records_read as bigint) as records_read,
        cast(coalesce(broken_records_counted.broken_records, 0) as bigint) as broken_records,
        cast(presence_counted.carrying_events as double)
        / nullif(cast(presence_counted.event_count as double), 0) as coverage,
        cast(
            mandatory_records_counted.records_read - mandatory_records_counted.broken_records
            as double
        )
        / nullif(cast(mandatory_records_counted.records_read as double), 0) as mandatory_coverage,
        mandatory_records_counted.field is not null as is_mandatory
    from keys_united
    left join presence_counted
        on
            keys_united.source = presence_counted.source
            and keys_united.type = presence_counted.type
            and keys_united.field = presence_counted.field
    left join mandatory_records_counted
        on
            keys_united.source = mandatory_records_counted.source
            and keys_united.type = mandatory_records_counted.type
            and keys_united.field = mandatory_records_counted.field
    left join records_counted
        on
            keys_united.source = records_counted.source
            and keys_united.type = records_counted.type
    left join broken_records_counted
        on
            keys_united.source = broken_records_counted.source
            and keys_united.type = broken_records_counted.type
            and keys_united.field = broken_records_counted.field
)

select * from coverage_measured
