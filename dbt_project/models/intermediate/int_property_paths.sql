with

int_event_groups as (
    select * from {{ ref('int_event_groups') }}
),

shapes_distinct as (
    select distinct property_shape
    from int_event_groups
),

pairs_exploded as (
    select
        shapes_distinct.property_shape,
        pairs.pair
    from shapes_distinct
    {{ cross_join_unnest(json_text_pairs('shapes_distinct.property_shape'), 'pairs', 'pair') }}
),

{# A flat key and a nested one may spell the same field: then it has both their kinds. #}
paths_named as (
    select distinct
        property_shape,
        {{ array_element('pair', 1) }} as field,
        {{ array_element('pair', 2) }} as path_kind
    from pairs_exploded
),

kinds_marked as (
    select
        property_shape,
        field,
        case
            when path_kind in ('falsy_string', 'none_string') then 'string'
            when path_kind = 'falsy_boolean' then 'boolean'
            when path_kind = 'falsy_number' then 'number'
            else path_kind
        end as base_kind,
        path_kind <> 'none_string' as is_carried,
        path_kind in ('falsy_boolean', 'falsy_number', 'falsy_string', 'none_string') as is_falsy
    from paths_named
),

paths_by_kind as (
    select
        property_shape,
        field,
        base_kind,
        case
            when split_part(field, '.', 1) in ('properties', 'context', 'traits')
                then nullif({{ text_after('field', '.') }}, '')
        end as looked_up_path,
        {# Of two spellings of one field one is enough to carry it, and both must be to say no. #}
        max(case when is_carried then 1 else 0 end) = 1 as is_carried,
        min(case when is_falsy then 1 else 0 end) = 1 as is_falsy
    from kinds_marked
    group by 1, 2, 3
)

select * from paths_by_kind
