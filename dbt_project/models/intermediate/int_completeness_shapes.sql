with

int_completeness_detectors as (
    select * from {{ ref('int_completeness_detectors') }}
),

int_property_paths as (
    select * from {{ ref('int_property_paths') }}
),

field_detectors as (
    select
        attribute,
        kind,
        origin,
        path,
        detector_number,
        count(*) over (partition by attribute, origin, detector_number) as path_count
    from int_completeness_detectors
    where detector = 'field' and expected_value is null
),

{#
  A field counts at the top and under any of the places that paths are looked for in. Of kind event, one
  that is false or 0 says that the thing did not happen.
#}
detectors_matched as (
    select
        field_detectors.attribute,
        field_detectors.origin,
        field_detectors.detector_number,
        int_property_paths.property_shape
    from field_detectors
    inner join int_property_paths
        on
            field_detectors.path
            in (int_property_paths.field, int_property_paths.looked_up_path)
    where
        case
            when field_detectors.kind = 'field' then int_property_paths.is_carried
            else not int_property_paths.is_falsy
        end
    group by 1, 2, 3, 4, field_detectors.path_count
    having count(distinct field_detectors.path) = field_detectors.path_count
),

shapes_carrying as (
    select distinct
        attribute,
        property_shape
    from detectors_matched
)

select * from shapes_carrying
