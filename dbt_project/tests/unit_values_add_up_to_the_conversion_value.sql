{#- Dagster shows the test as a check of this one of its tables. -#}
{{ config(meta={"dagster": {"ref": {"name": "fct_attributions"}}}) }}
with

fct_attributions as (
    select * from {{ ref('fct_attributions') }}
    where
        {{ changed('fct_attributions', ['conversion_id']) }}
        or {{ changed('fct_conversions', ['conversion_id'], by=['id']) }}
),

fct_conversions as (
    select * from {{ ref('fct_conversions') }}
    where
        {{ changed('fct_attributions', ['id'], by=['conversion_id']) }}
        or {{ changed('fct_conversions', ['id']) }}
),

units as (
    select distinct
        conversion_id,
        item_id,
        unit_value
    from fct_attributions
),

units_summed as (
    select
        conversion_id,
        count(*) as unit_count,
        sum(unit_value) as value
    from units
    group by 1
),

conversions_that_differ as (
    select fct_conversions.id
    from fct_conversions
    left join units_summed on fct_conversions.id = units_summed.conversion_id
    where
        fct_conversions.is_repeat and units_summed.unit_count is not null
        or coalesce(units_summed.unit_count, 0) <> fct_conversions.unit_count
        or not fct_conversions.is_repeat
        and units_summed.value is distinct from fct_conversions.value
)

select * from conversions_that_differ
