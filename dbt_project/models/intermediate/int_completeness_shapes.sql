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
        detector_text,
        {{ split_text('paths', '+') }} as path_list
    from int_completeness_detectors
    where detector = 'field' and expected_value is null
),

detector_paths_exploded as (
    select
        field_detectors.attribute,
        field_detectors.kind,
        field_detectors.detector_text,
        paths.detector_path,
        {{ array_length('field_detectors.path_list') }} as path_count
    from field_detectors
    {{ cross_join_unnest('field_detectors.path_list', 'paths', 'detector_path') }}
),

{#
  A field counts at the top and under any of the places that paths are looked for in. Of kind event, one
  that is false or 0 says that the thing did not happen.
#}
detectors_matched as (
    select
        detector_paths_exploded.attribute,
        detector_paths_exploded.detector_text,
        int_property_paths.property_shape
    from detector_paths_exploded
    inner join int_property_paths
        on
            detector_paths_exploded.detector_path
            in (int_property_paths.field, int_property_paths.looked_up_path)
    where
        case
            when detector_paths_exploded.kind = 'field' then int_property_paths.is_carried
            else not int_property_paths.is_falsy
        end
    group by 1, 2, 3, detector_paths_exploded.path_count
    having
        count(distinct detector_paths_exploded.detector_path)
        = detector_paths_exploded.path_count
),

shapes_carrying as (
    select distinct
        attribute,
        property_shape
    from detectors_matched
)

select * from shapes_carrying
