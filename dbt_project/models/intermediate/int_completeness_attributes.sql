with

completeness_attributes as (
    select * from {{ ref('completeness_attributes') }}
),

attributes_ranked as (
    select
        attribute,
        tier,
        kind,
        coalesce(applies_to, '*') as applies_to,
        coalesce(detectors, '') as detectors,
        why,
        fix,
        case tier when 'good' then 1 when 'better' then 2 when 'best' then 3 end as tier_number,
        threshold,
        case when kind = 'event' then coalesce(min_events, 1) end as min_events,
        coalesce(waived, false) as is_waived
    from completeness_attributes
)

select * from attributes_ranked
