with

int_completeness_attributes as (
    select * from {{ ref('int_completeness_attributes') }}
),

detectors_split as (
    select
        int_completeness_attributes.attribute,
        int_completeness_attributes.kind,
        trim(detectors.detector_text) as detector_text
    from int_completeness_attributes
    {{ cross_join_unnest(
        split_text('int_completeness_attributes.detectors', '|'), 'detectors', 'detector_text'
    ) }}
),

detectors_parsed as (
    select distinct
        attribute,
        kind,
        detector_text,
        split_part(detector_text, ':', 1) as detector,
        {{ text_after('detector_text', ':') }} as argument
    from detectors_split
    where detector_text <> ''
),

detectors_named as (
    select
        attribute,
        kind,
        detector_text,
        detector,
        case when detector = 'field' then split_part(argument, '=', 1) end as paths,
        case when detector = 'reserved' then split_part(argument, '@', 1) end as field,
        case
            when detector = 'reserved' then nullif(split_part(argument, '@', 2), '')
        end as type,
        case
            when detector = 'field' then nullif({{ text_after('argument', '=') }}, '')
            when detector <> 'reserved' then nullif(argument, '')
        end as expected_value
    from detectors_parsed
),

detectors_compared as (
    select
        attribute,
        kind,
        detector_text,
        detector,
        paths,
        field,
        type,
        expected_value,
        {{ compared_name('type', 'type') }} as compared_type,
        case
            when detector = 'type' then {{ compared_name('type', 'expected_value') }}
            else {{ bare_name('expected_value') }}
        end as compared_value
    from detectors_named
)

select * from detectors_compared
