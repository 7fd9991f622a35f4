{%- set models = ['first_touch', 'last_touch', 'linear', 'position_based', 'time_decay'] -%}

with

fct_attributions as (
    select * from {{ ref('fct_attributions') }}
    where {{ changed('fct_attributions', ['conversion_id']) }}
),

units_that_differ as (
    select
        conversion_id,
        item_id
    from fct_attributions
    group by 1, 2
    having
        min(unit_value) is distinct from max(unit_value)
        {%- for model in models %}
            or sum({{ model }}_value) is distinct from max(unit_value)
        {%- endfor %}
)

select * from units_that_differ
