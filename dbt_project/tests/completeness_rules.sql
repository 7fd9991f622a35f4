{#- Dagster shows the test as a check of this table, which stands on them. -#}
{{ config(meta={
    "dagster": {"ref": {"name": "rpt_completeness_attributes"}},
    "description": "What seeds and settings say of attributes of completeness has a meaning.",
}) }}
{# What seeds and settings say of attributes has a meaning: else a model would read past it. #}
with

int_completeness_attributes as (
    select * from {{ ref('int_completeness_attributes') }}
),

int_completeness_scopes as (
    select * from {{ ref('int_completeness_scopes') }}
),

int_completeness_detectors as (
    select * from {{ ref('int_completeness_detectors') }}
),

reserved_names as (
    {%- for field in reserved_fields() %}
        select '{{ field }}' as field
        {%- if not loop.last %}
            union all
        {%- endif %}
    {%- endfor %}
),

{# A field attribute without a threshold between 0 and 1 could never be measured. #}
attributes_counted as (
    select
        count(case when tier_number is null then 1 end) as without_tier,
        count(case when coalesce(kind, '') not in ('field', 'event') then 1 end) as without_kind,
        count(case
            when kind = 'field' and (threshold is null or threshold <= 0 or threshold > 1) then 1
        end) as without_threshold,
        count(case when kind = 'event' and min_events < 1 then 1 end) as without_events
    from int_completeness_attributes
),

{# A scope that no rule reads would apply to nothing, or to more than was meant. #}
scopes_counted as (
    select
        count(case
            when
                coalesce(int_completeness_scopes.scope, '')
                not in ('every_event', 'type', 'session_first_page_view')
                then 1
        end) as of_no_kind,
        count(case
            when
                not (
                    int_completeness_scopes.field is null
                    and int_completeness_scopes.field_value is null
                    or int_completeness_scopes.field in (
                        'page_type', 'click_type', 'conversion_type'
                    )
                    and int_completeness_scopes.field_value is not null
                )
                or int_completeness_scopes.type = ''
                or int_completeness_scopes.scope = 'session_first_page_view'
                and int_completeness_attributes.kind <> 'field'
                then 1
        end) as illegal
    from int_completeness_scopes
    inner join int_completeness_attributes
        on int_completeness_scopes.attribute = int_completeness_attributes.attribute
),

{# A detector that no rule reads would never match, and its attribute would always be missing. #}
detectors_counted as (
    select
        count(case when int_completeness_detectors.detector_number is null then 1 end)
            as without_number,
        count(case
            when
                not case int_completeness_detectors.detector
                    when 'field'
                        then
                            coalesce(int_completeness_detectors.path, '') <> ''
                            and (
                                int_completeness_detectors.expected_value is null
                                or int_completeness_detectors.kind = 'event'
                            )
                    when 'reserved'
                        then
                            reserved_names.field is not null
                            and int_completeness_detectors.kind = 'field'
                    when 'resolved_page_view' then int_completeness_detectors.kind = 'field'
                    when 'dwell_time_event' then int_completeness_detectors.kind = 'field'
                    when 'type' then int_completeness_detectors.expected_value is not null
                    when 'page_type' then int_completeness_detectors.expected_value is not null
                    when 'click_type' then int_completeness_detectors.expected_value is not null
                    when 'conversion_type'
                        then int_completeness_detectors.expected_value is not null
                    else false
                end
                then 1
        end) as illegal
    from int_completeness_detectors
    left join reserved_names on int_completeness_detectors.field = reserved_names.field
),

rules_counted as (
    {{ broken_keys_of({
        'int_completeness_attributes': ['attribute'],
        'int_completeness_detectors': [
            'attribute', 'origin', 'detector_number', "coalesce(path, '')"
        ],
        'int_completeness_scopes': [
            'attribute', 'scope', "coalesce(type, '')", "coalesce(field, '')",
            "coalesce(field_value, '')"
        ],
    }) }}
    union all
    select
        'one row per attribute in completeness_overrides' as rule,
        count(*) as broken_by
    from ({{ broken_keys(source('raw', 'completeness_overrides'), ['attribute']) }}) as broken_keys
    union all
    select
        'the tier of an attribute is good or better or best' as rule,
        without_tier as broken_by
    from attributes_counted
    union all
    select
        'the kind of an attribute is field or event' as rule,
        without_kind as broken_by
    from attributes_counted
    union all
    select
        'a field attribute has a threshold above 0, at most 1' as rule,
        without_threshold as broken_by
    from attributes_counted
    union all
    select
        'an event attribute needs at least 1 event' as rule,
        without_events as broken_by
    from attributes_counted
    union all
    select
        'a scope is every_event or type or session_first_page_view' as rule,
        of_no_kind as broken_by
    from scopes_counted
    union all
    select
        'a scope says which events it applies to' as rule,
        illegal as broken_by
    from scopes_counted
    union all
    select
        'a detector has a number' as rule,
        without_number as broken_by
    from detectors_counted
    union all
    select
        'a detector says what it looks at' as rule,
        illegal as broken_by
    from detectors_counted
    {%- for seed in ('completeness_scopes', 'completeness_detectors') %}
        union all
        select
            'attribute of {{ seed }} is in completeness_attributes' as rule,
            count(*) as broken_by
        from {{ ref(seed) }}
        where
            attribute is null
            or attribute not in (
                select int_completeness_attributes.attribute from int_completeness_attributes
            )
    {%- endfor %}
)

select
    rule,
    broken_by
from rules_counted
where broken_by > 0
