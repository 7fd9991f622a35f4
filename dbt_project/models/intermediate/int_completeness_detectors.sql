with

int_completeness_attributes as (
    select * from {{ ref('int_completeness_attributes') }}
),

completeness_detectors as (
    select * from {{ ref('completeness_detectors') }}
),

stg_completeness_override_detectors as (
    select * from {{ ref('stg_completeness_override_detectors') }}
),

attributes_replaced as (
    select distinct attribute
    from stg_completeness_override_detectors
    where not is_added
),

detectors_united as (
    select
        attribute,
        'seed' as origin,
        detector,
        name,
        type,
        value,
        detector_number
    from completeness_detectors
    where attribute not in (select attributes_replaced.attribute from attributes_replaced)

    union all

    select
        attribute,
        'settings' as origin,
        detector,
        name,
        type,
        value,
        detector_number
    from stg_completeness_override_detectors
),

detectors_compared as (
    select
        detectors_united.attribute,
        int_completeness_attributes.kind,
        detectors_united.origin,
        detectors_united.detector,
        case when detectors_united.detector = 'field' then detectors_united.name end as path,
        case when detectors_united.detector = 'reserved' then detectors_united.name end as field,
        detectors_united.type,
        detectors_united.value as expected_value,
        {{ compared_name('type', 'detectors_united.type') }} as compared_type,
        case
            when detectors_united.detector = 'type'
                then {{ compared_name('type', 'detectors_united.value') }}
            else {{ bare_name('detectors_united.value') }}
        end as compared_value,
        detectors_united.detector_number
    from detectors_united
    inner join int_completeness_attributes
        on detectors_united.attribute = int_completeness_attributes.attribute
)

select * from detectors_compared
