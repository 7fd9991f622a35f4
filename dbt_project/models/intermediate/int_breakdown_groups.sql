{%- set breakdowns = var('sequen_breakdowns') %}

with

int_event_groups as (
    select * from {{ ref('int_event_groups') }}
),

groups_by_value as (
    {%- for path in breakdowns %}
        select
            group_key,
            source,
            type,
            '{{ path | join('.') }}' as breakdown,
            {{ array_element(json_text_array('breakdown_values'), loop.index) }} as sent_value,
            reserved_fields,
            resolved_fields,
            event_count,
            event_date
        from int_event_groups

        union all
    {% endfor %}
    select
        group_key,
        source,
        type,
        cast(null as varchar) as breakdown,
        cast(null as varchar) as sent_value,
        reserved_fields,
        resolved_fields,
        event_count,
        event_date
    from int_event_groups
    where false
),

{# What does not look like the name of a release or a platform may be personal: it is not shown. #}
values_named as (
    select
        *,
        case
            when sent_value is null then '(none)'
            when
                {{ matches('sent_value', '[\\p{L}\\p{N}][\\p{L}\\p{N} ._+/()-]{0,39}') }}
                and not {{ matches('sent_value', '.*[0-9]{9}.*') }}
                then sent_value
            else '(other)'
        end as named_value
    from groups_by_value
),

values_ranked as (
    select
        breakdown,
        named_value,
        row_number() over (
            partition by breakdown order by sum(event_count) desc, named_value
        ) as value_rank
    from values_named
    group by 1, 2
),

breakdown_groups as (
    select
        values_named.group_key,
        values_named.source,
        values_named.type,
        values_named.breakdown,
        case
            when values_ranked.value_rank <= {{ var('sequen_breakdown_values') }}
                then values_named.named_value
            else '(other)'
        end as breakdown_value,
        values_named.reserved_fields,
        values_named.resolved_fields,
        cast(sum(values_named.event_count) as bigint) as event_count,
        min(values_named.event_date) as first_date,
        max(values_named.event_date) as last_date
    from values_named
    inner join values_ranked
        on
            values_named.breakdown = values_ranked.breakdown
            and values_named.named_value = values_ranked.named_value
    group by 1, 2, 3, 4, 5, 6, 7
)

select * from breakdown_groups
