{# Which field holds the value is a setting of the marts, so only they can warn. #}
{{ exact(key=['id'], touched_by=['fct_events.id', 'fct_conversions.id']) }}

with

conversions as (
    select
        id,
        batch_id,
        {{ json_text('properties', var('sequen_value_field')) }} as written_value
    from {{ ref('fct_events') }}
    where type = 'conversion' and {{ touched_records() }}
),

conversions_without_value as (
    select id
    from {{ ref('fct_conversions') }}
    where value is null and {{ touched(['id']) }}
),

values_unreadable as (
    select
        conversions.id,
        conversions.batch_id
    from conversions
    inner join conversions_without_value on conversions.id = conversions_without_value.id
    where trim(conversions.written_value) not in ('', '[]', '{}')
)

select * from values_unreadable
