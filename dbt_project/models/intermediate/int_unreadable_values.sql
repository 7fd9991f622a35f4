{# Which field holds the value is a setting of the marts, so only they can warn. #}
{{ exact(
    key=['id'],
    affected_by=[
        {'changes_of': 'fct_events', 'columns': ['id']},
        {'changes_of': 'int_property_values', 'columns': ['id']},
    ],
) }}

with

conversions as (
    select
        id,
        batch_id
    from {{ ref('fct_events') }}
    where type = 'conversion' and {{ affected_records() }}
),

int_property_values as (
    select id
    from {{ ref('int_property_values') }}
    where is_value_unreadable and {{ affected(['id']) }}
),

values_unreadable as (
    select
        conversions.id,
        conversions.batch_id
    from conversions
    inner join int_property_values on conversions.id = int_property_values.id
)

select * from values_unreadable
