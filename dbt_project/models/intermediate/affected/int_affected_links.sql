{%- set kinds = ['page_view', 'module_view', 'impression'] -%}

{# Events whose links may resolve to another event now. #}
with

changed_targets as (
    select * from {{ changes('int_link_targets') }}
),

events_affected as (
    {%- for kind in kinds %}
        select id
        from {{ ref('int_event_keys') }}
        where
            type <> '{{ kind }}'
            and {{ kind }}_id in (
                select changed_targets.value from changed_targets
                where changed_targets.kind = '{{ kind }}'
            )
        {%- if not loop.last %}

            union distinct
        {%- endif %}
    {%- endfor %}
)

select * from events_affected
