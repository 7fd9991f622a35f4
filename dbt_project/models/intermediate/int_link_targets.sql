{{ exact(
    key=['kind', 'value'],
    affected_by=[{'rows_of': 'int_affected_targets', 'columns': ['kind', 'value']}],
) }}

{%- set kinds = ['page_view', 'module_view', 'impression'] -%}

with

int_event_keys as (
    select
        id,
        type
    from {{ ref('int_event_keys') }}
),

{# On an event of the very type the field names the event itself, so it asks for nothing. #}
values_asked as (
    {%- for kind in kinds %}
        select
            '{{ kind }}' as kind,
            {{ kind }}_id as value
        from {{ ref('int_event_keys') }}
        where
            {{ kind }}_id is not null
            and type <> '{{ kind }}'
            and {{ affected(["'" ~ kind ~ "'", kind ~ '_id']) }}
        group by 1, 2
        {%- if not loop.last %}

            union all
        {%- endif %}
    {%- endfor %}
),

targets_by_id as (
    select
        int_event_keys.type as kind,
        int_event_keys.id as value
    from int_event_keys
    inner join values_asked
        on
            int_event_keys.type = values_asked.kind
            and int_event_keys.id = values_asked.value
),

own_values as (
    {%- for kind in kinds %}
        select
            id,
            '{{ kind }}' as kind,
            {{ kind }}_id as value,
            original_timestamp
        from {{ ref('int_event_keys') }}
        where
            type = '{{ kind }}'
            and {{ kind }}_id is not null
            and {{ affected(["'" ~ kind ~ "'", kind ~ '_id']) }}
        {%- if not loop.last %}

            union all
        {%- endif %}
    {%- endfor %}
),

targets_by_own_value as (
    select
        own_values.kind,
        own_values.value,
        min_by(
            own_values.id,
            {{ ordered_pair('own_values.original_timestamp', 'own_values.id') }}
        ) as target_id
    from own_values
    inner join values_asked
        on own_values.kind = values_asked.kind and own_values.value = values_asked.value
    group by 1, 2
),

targets_by_own_value_only as (
    select targets_by_own_value.*
    from targets_by_own_value
    where
        not exists (
            select 1
            from targets_by_id
            where
                targets_by_own_value.kind = targets_by_id.kind
                and targets_by_own_value.value = targets_by_id.value
        )
),

link_targets as (
    select
        kind,
        value,
        value as target_id
    from targets_by_id

    union all

    select
        kind,
        value,
        target_id
    from targets_by_own_value_only
)

select * from link_targets
