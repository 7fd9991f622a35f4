with

int_completeness_detectors as (
    select * from {{ ref('int_completeness_detectors') }}
),

detectors_shown as (
    select
        attribute,
        origin,
        detector,
        coalesce(path, field, '') as name,
        type,
        expected_value as value,
        detector_number
    from int_completeness_detectors
)

select * from detectors_shown
