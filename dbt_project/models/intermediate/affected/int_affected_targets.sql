{%- set kinds = ['page_view', 'module_view', 'impression'] -%}

{# Link values that may name another event now: those that changed events ask for, are or carry. #}
with

changed_events as (
    select * from {{ changes('int_event_keys') }}
),

values_affected as (
    select
        type as kind,
        id as value
    from changed_events
    where type in ('page_view', 'module_view', 'impression')
    {%- for kind in kinds %}

        union distinct

        select
            '{{ kind }}' as kind,
            {{ kind }}_id as value
        from changed_events
        where {{ kind }}_id is not null
    {%- endfor %}
)

select * from values_affected
