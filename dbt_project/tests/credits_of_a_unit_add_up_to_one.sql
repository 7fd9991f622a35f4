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
        false
        {%- for model in models %}
            or sum({{ model }}_credit) <> 1
            or min({{ model }}_credit) < 0
        {%- endfor %}
)

select * from units_that_differ
