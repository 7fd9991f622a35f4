{#
  What the tiers would be if one attribute were completed, by the rules that rpt_completeness_tiers applies.
  A field is completed on the events that are already sent. Where there are none, or where events are what
  is missing, events such as the example are added, within sessions that have a page_view already; they
  carry everything that applies to them.
#}
with

rpt_completeness_attributes as (
    select * from {{ ref('rpt_completeness_attributes') }}
    where not is_waived
),

int_completeness_attributes as (
    select
        *,
        {%- for field in ['type', 'page_type', 'click_type', 'conversion_type'] %}
            {{ compared_name(field, json_text('example', [field])) }} as example_{{ field }}
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ ref('int_completeness_attributes') }}
),

int_completeness_scopes as (
    select * from {{ ref('int_completeness_scopes') }}
),

int_reported_sources as (
    select * from {{ ref('int_reported_sources') }}
),

rpt_completeness_tiers as (
    select * from {{ ref('rpt_completeness_tiers') }}
),

{#
  To which attributes the example of which fix matters. A page_view is the first of its session only
  where no session has one.
#}
examples_matched as (
    select
        int_completeness_attributes.attribute as fixed_attribute,
        int_completeness_scopes.attribute,
        int_completeness_scopes.scope = 'session_first_page_view' as is_if_none_applies
    from int_completeness_attributes
    inner join int_completeness_scopes
        on
            (
                int_completeness_scopes.type is null
                or int_completeness_attributes.example_type
                = int_completeness_scopes.compared_type
            )
            and (
                int_completeness_scopes.field is null
                {%- for field in ['page_type', 'click_type', 'conversion_type'] %}
                    or (
                        int_completeness_scopes.field = '{{ field }}'
                        and int_completeness_attributes.example_{{ field }}
                        = int_completeness_scopes.compared_value
                    )
                {%- endfor %}
            )

    union all

    select
        attribute as fixed_attribute,
        attribute,
        false as is_if_none_applies
    from int_completeness_attributes
),

examples_in_scope as (
    select
        fixed_attribute,
        attribute,
        min(case when is_if_none_applies then 1 else 0 end) = 1 as is_if_none_applies
    from examples_matched
    group by 1, 2
),

fixes as (
    select
        source,
        period,
        attribute as fixed_attribute,
        case
            when kind = 'event' then min_events - carrying_events
            when applicable_events = 0 then 1
            else 0
        end as added_events,
        case
            when kind = 'field' then applicable_events - carrying_events else 0
        end as fixable_events
    from rpt_completeness_attributes
    where status <> 'complete'
),

counts_after as (
    select
        fixes.source,
        fixes.period,
        fixes.fixed_attribute,
        fixes.added_events,
        fixes.fixable_events,
        rpt_completeness_attributes.attribute,
        rpt_completeness_attributes.kind,
        int_completeness_attributes.tier_number,
        int_completeness_attributes.threshold,
        int_completeness_attributes.min_events,
        rpt_completeness_attributes.applicable_events
        + case
            when
                rpt_completeness_attributes.kind = 'field'
                and examples_in_scope.attribute is not null
                then fixes.added_events
            else 0
        end as applicable_events,
        rpt_completeness_attributes.carrying_events
        + case
            when rpt_completeness_attributes.attribute = fixes.fixed_attribute
                then fixes.fixable_events + fixes.added_events
            when
                rpt_completeness_attributes.kind = 'field'
                and examples_in_scope.attribute is not null
                then fixes.added_events
            else 0
        end as carrying_events
    from fixes
    inner join rpt_completeness_attributes
        on
            fixes.source = rpt_completeness_attributes.source
            and fixes.period = rpt_completeness_attributes.period
    inner join int_completeness_attributes
        on rpt_completeness_attributes.attribute = int_completeness_attributes.attribute
    left join examples_in_scope
        on
            fixes.fixed_attribute = examples_in_scope.fixed_attribute
            and rpt_completeness_attributes.attribute = examples_in_scope.attribute
            and (
                not examples_in_scope.is_if_none_applies
                or rpt_completeness_attributes.applicable_events = 0
            )
),

statuses_after as (
    select
        *,
        {{ attribute_status(
            'kind', 'carrying_events', 'applicable_events', 'threshold', 'min_events'
        ) }} as status
    from counts_after
),

fulfilled_after as (
    select
        *,
        {{ attribute_billionths(
            'status', 'kind', 'carrying_events', 'applicable_events', 'threshold'
        ) }} as billionths
    from statuses_after
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
    from fulfilled_after
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
