{# A view, so that a publication looks at the tables as they are, whatever was built last. #}
{{ config(materialized='view') }}

{%- set types = {
    'page_views': 'page_view',
    'module_views': 'module_view',
    'impressions': 'impression',
    'clicks': 'click',
    'conversions': 'conversion',
} -%}
{%- set credits = attribution_models() -%}

with

{# Not rpt_batches: no model reads the table by which Dagster knows that a build has ended. #}
stg_batches as (
    select sum(accepted) as accepted
    from {{ ref('stg_batches') }}
    where is_current
),

int_batch_duplicates as (
    select sum(duplicate_records) as duplicate_records
    from {{ ref('int_batch_duplicates') }}
),

fct_events as (
    select
        {%- for type in types.values() %}
            count(case when type = '{{ type }}' then 1 end) as {{ type }}_events,
        {%- endfor %}
        count(session_key) as events_of_sessions,
        count(*) as events
    from {{ ref('fct_events') }}
),

fct_sessions as (
    select sum(event_count) as events
    from {{ ref('fct_sessions') }}
),

fct_attributions as (
    select
        sum(first_touch_credit) as first_touch_credits,
        sum(last_touch_credit) as last_touch_credits,
        sum(linear_credit) as linear_credits,
        sum(position_based_credit) as position_based_credits,
        sum(time_decay_credit) as time_decay_credits
    from {{ ref('fct_attributions') }}
),

fct_page_views as (
    select count(*) as row_count
    from {{ ref('fct_page_views') }}
),

fct_module_views as (
    select count(*) as row_count
    from {{ ref('fct_module_views') }}
),

fct_impressions as (
    select count(*) as row_count
    from {{ ref('fct_impressions') }}
),

fct_clicks as (
    select count(*) as row_count
    from {{ ref('fct_clicks') }}
),

fct_conversions as (
    select
        count(*) as row_count,
        sum(unit_count) as units
    from {{ ref('fct_conversions') }}
),

totals as (
    select
        'accepted records less duplicates = events' as invariant,
        cast(
            coalesce(stg_batches.accepted, 0)
            - coalesce(int_batch_duplicates.duplicate_records, 0) as decimal(38, 9)
        ) as expected,
        cast(fct_events.events as decimal(38, 9)) as actual
    from stg_batches
    cross join int_batch_duplicates
    cross join fct_events
    union all
    select
        'events of sessions = events with a session' as invariant,
        cast(fct_events.events_of_sessions as decimal(38, 9)) as expected,
        cast(coalesce(fct_sessions.events, 0) as decimal(38, 9)) as actual
    from fct_events
    cross join fct_sessions
    {%- for name, type in types.items() %}
        union all
        select
            '{{ type }} events = rows of fct_{{ name }}' as invariant,
            cast(fct_events.{{ type }}_events as decimal(38, 9)) as expected,
            cast(fct_{{ name }}.row_count as decimal(38, 9)) as actual
        from fct_events
        cross join fct_{{ name }}
    {%- endfor %}
    {%- for credit in credits %}
        union all
        select
            'units = {{ credit }} credits' as invariant,
            cast(coalesce(fct_conversions.units, 0) as decimal(38, 9)) as expected,
            cast(coalesce(fct_attributions.{{ credit }}_credits, 0) as decimal(38, 9)) as actual
        from fct_conversions
        cross join fct_attributions
    {%- endfor %}
),

totals_compared as (
    select
        invariant,
        expected,
        actual,
        expected = actual as is_met
    from totals
)

select * from totals_compared
