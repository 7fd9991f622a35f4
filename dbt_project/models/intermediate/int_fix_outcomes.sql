{{ config(materialized='ephemeral') }}
{#
  A field is fixed on the events that are already sent. Where there are none, or where events are what
  is missing, events such as the example are added, within sessions that have a page_view already; they
  carry everything that applies to them.
#}
with

rpt_completeness_attributes as (
    select * from {{ ref('rpt_completeness_attributes') }}
    where not is_waived
),

int_completeness_attributes as (
    select * from {{ ref('int_completeness_attributes') }}
),

int_fix_examples as (
    select * from {{ ref('int_fix_examples') }}
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
                and int_fix_examples.attribute is not null
                then fixes.added_events
            else 0
        end as applicable_events,
        rpt_completeness_attributes.carrying_events
        + case
            when rpt_completeness_attributes.attribute = fixes.fixed_attribute
                then fixes.fixable_events + fixes.added_events
            when
                rpt_completeness_attributes.kind = 'field'
                and int_fix_examples.attribute is not null
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
    left join int_fix_examples
        on
            fixes.fixed_attribute = int_fix_examples.fixed_attribute
            and rpt_completeness_attributes.attribute = int_fix_examples.attribute
            and (
                not int_fix_examples.is_if_none_applies
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

outcomes as (
    select
        *,
        {{ attribute_billionths(
            'status', 'kind', 'carrying_events', 'applicable_events', 'threshold'
        ) }} as billionths
    from statuses_after
)

select * from outcomes
