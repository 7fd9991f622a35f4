with

completeness_attributes as (
    select * from {{ ref('completeness_attributes') }}
),

stg_completeness_overrides as (
    select * from {{ ref('stg_completeness_overrides') }}
),

{# What a user sets takes the place of what the seed says, a column each. #}
attributes_overridden as (
    select
        coalesce(completeness_attributes.attribute, stg_completeness_overrides.attribute)
            as attribute,
        coalesce(stg_completeness_overrides.tier, completeness_attributes.tier) as tier,
        coalesce(stg_completeness_overrides.kind, completeness_attributes.kind) as kind,
        coalesce(stg_completeness_overrides.why, completeness_attributes.why) as why,
        coalesce(stg_completeness_overrides.fix, completeness_attributes.fix) as fix,
        coalesce(stg_completeness_overrides.example, completeness_attributes.example) as example,
        coalesce(stg_completeness_overrides.threshold, completeness_attributes.threshold)
            as threshold,
        coalesce(stg_completeness_overrides.min_events, completeness_attributes.min_events, 1)
            as min_events,
        coalesce(stg_completeness_overrides.waived, completeness_attributes.waived, false)
            as is_waived
    from completeness_attributes
    full outer join stg_completeness_overrides
        on completeness_attributes.attribute = stg_completeness_overrides.attribute
),

attributes_ranked as (
    select
        attribute,
        tier,
        kind,
        why,
        fix,
        example,
        case tier when 'good' then 1 when 'better' then 2 when 'best' then 3 end as tier_number,
        threshold,
        case when kind = 'event' then min_events end as min_events,
        is_waived
    from attributes_overridden
)

select * from attributes_ranked
