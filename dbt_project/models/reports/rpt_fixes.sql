{# The tiers as they would be, by the rules that rpt_completeness_tiers applies. #}
with

int_completeness_attributes as (
    select * from {{ ref('int_completeness_attributes') }}
),

int_fix_outcomes as (
    select * from {{ ref('int_fix_outcomes') }}
),

int_reported_sources as (
    select * from {{ ref('int_reported_sources') }}
),

rpt_completeness_tiers as (
    select * from {{ ref('rpt_completeness_tiers') }}
),

{# Tiers are cumulative, as in rpt_completeness_tiers. #}
tiers_after as (
    select
        source,
        period,
        fixed_attribute,
        added_events,
        fixable_events,
        {%- for tier in ['good', 'better', 'best'] %}
            count(case when tier_number <= {{ loop.index }} then 1 end) as {{ tier }}_attributes,
            count(
                case when tier_number <= {{ loop.index }} and status = 'complete' then 1 end
            ) as {{ tier }}_complete_attributes,
            coalesce(
                sum(case when tier_number <= {{ loop.index }} then billionths end), 0
            ) as {{ tier }}_billionths
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from int_fix_outcomes
    group by 1, 2, 3, 4, 5
),

tiers_before as (
    select
        source,
        period,
        {%- for tier in ['good', 'better', 'best'] %}
            max(case when tier = '{{ tier }}' then score end) as {{ tier }}_score,
        {%- endfor %}
        max(
            case
                {%- for tier in ['good', 'better', 'best'] %}
                    when tier = '{{ tier }}' and is_reached then {{ loop.index }}
                {%- endfor %}
                else 0
            end
        ) as tier_number
    from rpt_completeness_tiers
    group by 1, 2
),

tiers_compared as (
    select
        tiers_after.source,
        tiers_after.period,
        tiers_after.fixed_attribute as attribute,
        tiers_after.added_events,
        tiers_after.fixable_events,
        {%- for tier in ['good', 'better', 'best'] %}
            tiers_before.{{ tier }}_score,
            {{ tier_score(
                'tiers_after.' ~ tier ~ '_billionths', 'tiers_after.' ~ tier ~ '_attributes'
            ) }} as {{ tier }}_score_after,
        {%- endfor %}
        tiers_before.tier_number,
        case
            when not {{ is_accepted_share_met(
                '(int_reported_sources.accepted + tiers_after.added_events)',
                '(int_reported_sources.accepted + int_reported_sources.quarantined'
                ~ ' + tiers_after.added_events)'
            ) }} then 0
            {%- for tier in ['best', 'better', 'good'] %}
                when tiers_after.{{ tier }}_attributes = tiers_after.{{ tier }}_complete_attributes
                    then {{ loop.revindex }}
            {%- endfor %}
            else 0
        end as tier_number_after
    from tiers_after
    inner join tiers_before
        on
            tiers_after.source = tiers_before.source
            and tiers_after.period = tiers_before.period
    inner join int_reported_sources on tiers_after.source = int_reported_sources.source
),

{# The gain that counts is that of the tier to reach next; of all three where that is the same. #}
gains_measured as (
    select
        *,
        case tier_number
            when 0 then good_score_after - good_score
            when 1 then better_score_after - better_score
            else best_score_after - best_score
        end as next_tier_gain
    from tiers_compared
),

fixes_ranked as (
    select
        gains_measured.source,
        gains_measured.period,
        gains_measured.attribute,
        int_completeness_attributes.tier,
        {{ tier_named('gains_measured.tier_number') }} as tier_reached,
        {{ tier_named('gains_measured.tier_number_after') }} as tier_reached_after,
        row_number() over (
            partition by gains_measured.source, gains_measured.period
            order by
                gains_measured.tier_number_after desc,
                gains_measured.next_tier_gain desc,
                gains_measured.best_score_after desc,
                int_completeness_attributes.tier_number asc,
                gains_measured.attribute asc
        ) as fix_number,
        gains_measured.fixable_events,
        gains_measured.added_events,
        {%- for tier in ['good', 'better', 'best'] %}
            gains_measured.{{ tier }}_score,
            gains_measured.{{ tier }}_score_after
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from gains_measured
    inner join int_completeness_attributes
        on gains_measured.attribute = int_completeness_attributes.attribute
)

select * from fixes_ranked
