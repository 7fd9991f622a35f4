{# A detector that no rule reads would never match, and its attribute would always be missing. #}
with

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

detectors_checked as (
    select
        int_completeness_detectors.attribute,
        int_completeness_detectors.detector_number,
        case int_completeness_detectors.detector
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
            when 'conversion_type' then int_completeness_detectors.expected_value is not null
            else false
        end as is_legal
    from int_completeness_detectors
    left join reserved_names on int_completeness_detectors.field = reserved_names.field
)

select * from detectors_checked
where not is_legal
