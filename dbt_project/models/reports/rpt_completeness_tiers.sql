with

rpt_completeness_attributes as (
    select * from {{ ref('rpt_completeness_attributes') }}
),

int_completeness_attributes as (
    select * from {{ ref('int_completeness_attributes') }}
),

int_reported_sources as (
    select * from {{ ref('int_reported_sources') }}
),

{# All three, even where a user's attributes leave one without any of its own. #}
tiers as (
    select
        'good' as tier,
        1 as tier_number
    union all
    select
        'better' as tier,
        2 as tier_number
    union all
    select
        'best' as tier,
        3 as tier_number
),

periods as (
    select 'recent' as period
    union all
    select 'all' as period
),

tiers_of_periods as (
    select
        int_reported_sources.source,
        periods.period,
        tiers.tier,
        tiers.tier_number,
        int_reported_sources.accepted,
        int_reported_sources.accepted + int_reported_sources.quarantined as validated
    from int_reported_sources
    cross join periods
    cross join tiers
),

attributes_fulfilled as (
    select
        rpt_completeness_attributes.source,
        rpt_completeness_attributes.period,
        rpt_completeness_attributes.attribute,
        rpt_completeness_attributes.status,
        int_completeness_attributes.tier_number,
        {{ attribute_billionths(
            'rpt_completeness_attributes.status', 'rpt_completeness_attributes.kind',
            'rpt_completeness_attributes.carrying_events',
            'rpt_completeness_attributes.applicable_events',
            'rpt_completeness_attributes.threshold'
        ) }} as billionths
    from rpt_completeness_attributes
    inner join int_completeness_attributes
        on rpt_completeness_attributes.attribute = int_completeness_attributes.attribute
    where not rpt_completeness_attributes.is_waived
),

{# Tiers are cumulative: the attributes of a tier are its own and those of the tiers below. #}
attributes_summed as (
    select
        tiers_of_periods.source,
        tiers_of_periods.period,
        tiers_of_periods.tier,
        tiers_of_periods.tier_number,
        tiers_of_periods.accepted,
        tiers_of_periods.validated,
        count(attributes_fulfilled.attribute) as attribute_count,
        cast(
            coalesce(
                sum(case when attributes_fulfilled.status = 'complete' then 1 else 0 end), 0
            ) as bigint
        ) as complete_attribute_count,
        coalesce(sum(attributes_fulfilled.billionths), 0) as billionths,
        {{ sorted_texts(
            'attributes_fulfilled.attribute', "attributes_fulfilled.status <> 'complete'"
        ) }} as blocking_attributes
    from tiers_of_periods
    left join attributes_fulfilled
        on
            tiers_of_periods.source = attributes_fulfilled.source
            and tiers_of_periods.period = attributes_fulfilled.period
            and tiers_of_periods.tier_number >= attributes_fulfilled.tier_number
    group by 1, 2, 3, 4, 5, 6
),

accepted_share_checked as (
    select
        *,
        {{ is_accepted_share_met('accepted', 'validated') }} as is_accepted_share_met
    from attributes_summed
),

tiers_checked as (
    select
        source,
        period,
        tier,
        blocking_attributes,
        attribute_count,
        complete_attribute_count,
        {{ tier_score('billionths', 'attribute_count') }} as score,
        cast(accepted as double) / nullif(validated, 0) as accepted_share,
        complete_attribute_count = attribute_count and is_accepted_share_met as is_reached,
        is_accepted_share_met
    from accepted_share_checked
)

select * from tiers_checked
