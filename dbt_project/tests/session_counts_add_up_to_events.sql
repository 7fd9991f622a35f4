{#- Dagster shows the test as a check of this one of its tables. -#}
{{ config(meta={"dagster": {"ref": {"name": "fct_sessions"}}}) }}
{%- set counts = {
    'event_count': none,
    'page_view_count': 'page_view',
    'impression_count': 'impression',
    'click_count': 'click',
    'conversion_count': 'conversion',
} -%}

with

fct_events as (
    select type from {{ ref('fct_events') }}
    where {{ changed('fct_events', ['session_key']) }}
),

fct_sessions as (
    select * from {{ ref('fct_sessions') }}
    where {{ changed('fct_events', ['session_key']) }}
),

events_counted as (
    select
        {%- for name, type in counts.items() %}
            count({{ "case when type = '" ~ type ~ "' then 1 end" if type else '*' }}) as {{ name }}
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from fct_events
),

sessions_summed as (
    select
        {%- for name in counts %}
            coalesce(sum({{ name }}), 0) as {{ name }}
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from fct_sessions
),

sums_that_differ as (
    select
        {%- for name in counts %}
            events_counted.{{ name }} as {{ name }}_of_events,
            sessions_summed.{{ name }} as {{ name }}_of_sessions
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from events_counted
    cross join sessions_summed
    where
        false
        {%- for name in counts %}
            or events_counted.{{ name }} <> sessions_summed.{{ name }}
        {%- endfor %}
)

select * from sums_that_differ
