{{ exact(
    key=['conversion_id', 'item_id', 'touch_id'],
    scope=['conversion_id'],
    affected_by=[{'rows_of': 'int_affected_conversions', 'columns': ['id']}],
) }}

with

int_conversion_units as (
    select * from {{ ref('int_conversion_units') }}
    where {{ affected(['conversion_id']) }}
),

conversions as (
    select
        id,
        visitor_key,
        item_id_relation,
        linked_impression_id,
        original_timestamp
    from {{ ref('fct_events') }}
    where type = 'conversion' and {{ affected_records() }}
),

linked_impressions as (
    select * from {{ ref('int_item_interactions') }}
    where type = 'impression'
),

interactions as (
    select * from {{ ref('int_item_interactions') }}
),

units as (
    select
        int_conversion_units.conversion_id,
        int_conversion_units.item_id,
        conversions.visitor_key,
        conversions.item_id_relation,
        conversions.linked_impression_id,
        conversions.original_timestamp as converted_at
    from int_conversion_units
    inner join conversions on int_conversion_units.conversion_id = conversions.id
),

units_with_link as (
    select
        units.conversion_id,
        units.item_id,
        linked_impressions.id as touch_id,
        linked_impressions.original_timestamp as touch_at
    from units
    inner join linked_impressions
        on
            units.linked_impression_id = linked_impressions.id
            and units.item_id = linked_impressions.item_id
    where
        {{ relations_agree('units.item_id_relation', 'linked_impressions.item_id_relation') }}
        and linked_impressions.original_timestamp <= units.converted_at
),

units_without_link as (
    select units.*
    from units
    where
        not exists (
            select 1
            from units_with_link
            where
                units.conversion_id = units_with_link.conversion_id
                and units.item_id = units_with_link.item_id
        )
),

units_by_relation as (
    select
        units_without_link.*,
        classes.relation_class
    from units_without_link
    {{ cross_join_unnest(
        accepted_relation_classes('units_without_link.item_id_relation'),
        'classes', 'relation_class'
    ) }}
),

items_asked as (
    select distinct
        visitor_key,
        item_id
    from units_without_link
),

relations_asked as (
    select distinct
        visitor_key,
        item_id,
        relation_class
    from units_by_relation
),

interactions_of_items as (
    select interactions.*
    from interactions
    inner join items_asked
        on
            interactions.visitor_key = items_asked.visitor_key
            and interactions.item_id = items_asked.item_id
),

interactions_classed as (
    select
        interactions_of_items.*,
        classes.relation_class
    from interactions_of_items
    {{ cross_join_unnest(
        relation_classes('interactions_of_items.item_id_relation'), 'classes', 'relation_class'
    ) }}
),

{# Numbered in order: the touches of a unit are then a range of numbers, however many there are. #}
touches_numbered as (
    select
        interactions_classed.id,
        interactions_classed.type,
        interactions_classed.visitor_key,
        interactions_classed.item_id,
        interactions_classed.relation_class,
        row_number() over (
            partition by
                interactions_classed.visitor_key,
                interactions_classed.item_id,
                interactions_classed.relation_class,
                interactions_classed.type
            order by interactions_classed.original_timestamp, interactions_classed.id
        ) as touch_place,
        interactions_classed.original_timestamp
    from interactions_classed
    inner join relations_asked
        on
            interactions_classed.visitor_key = relations_asked.visitor_key
            and interactions_classed.item_id = relations_asked.item_id
            and interactions_classed.relation_class = relations_asked.relation_class
),

items_with_touches as (
    select distinct
        visitor_key,
        item_id,
        relation_class,
        type
    from touches_numbered
),

units_asking as (
    select
        units_by_relation.conversion_id,
        units_by_relation.item_id,
        units_by_relation.visitor_key,
        units_by_relation.relation_class,
        items_with_touches.type,
        {{ epoch_micros('units_by_relation.converted_at') }} as window_ends_at_us,
        {{ epoch_micros('units_by_relation.converted_at') }}
        - case
            when items_with_touches.type = 'click'
                then {{ days_in_micros(var('sequen_click_touch_days')) }}
            else {{ days_in_micros(var('sequen_view_touch_days')) }}
        end as window_starts_at_us
    from units_by_relation
    inner join items_with_touches
        on
            units_by_relation.visitor_key = items_with_touches.visitor_key
            and units_by_relation.item_id = items_with_touches.item_id
            and units_by_relation.relation_class = items_with_touches.relation_class
),

{# Both ends of the window are inclusive: its start comes before (0), its end after (2) a touch. #}
points_united as (
    select
        visitor_key,
        item_id,
        relation_class,
        type,
        id,
        1 as place,
        {{ epoch_micros('original_timestamp') }} as point_at_us
    from touches_numbered

    union all

    select
        visitor_key,
        item_id,
        relation_class,
        type,
        conversion_id as id,
        0 as place,
        window_starts_at_us as point_at_us
    from units_asking

    union all

    select
        visitor_key,
        item_id,
        relation_class,
        type,
        conversion_id as id,
        2 as place,
        window_ends_at_us as point_at_us
    from units_asking
),

touches_counted as (
    select
        item_id,
        relation_class,
        type,
        id,
        place,
        count(case when place = 1 then 1 end) over (
            partition by visitor_key, item_id, relation_class, type
            order by point_at_us, place, id
            rows between unbounded preceding and current row
        ) as touches_so_far
    from points_united
),

ranges_found as (
    select
        id as conversion_id,
        item_id,
        relation_class,
        type,
        min(touches_so_far) as touches_before,
        max(touches_so_far) as last_place
    from touches_counted
    where place <> 1
    group by 1, 2, 3, 4
    having max(touches_so_far) > min(touches_so_far)
),

{# 'click' sorts before 'impression': views count only where no click does. #}
bases_chosen as (
    select
        conversion_id,
        item_id,
        min(type) as type
    from ranges_found
    group by 1, 2
),

ranges_capped as (
    select
        ranges_found.conversion_id,
        ranges_found.item_id,
        ranges_found.relation_class,
        ranges_found.type,
        ranges_found.touches_before,
        ranges_found.last_place,
        least(
            ranges_found.last_place - ranges_found.touches_before,
            {{ var('sequen_max_touches') }}
        ) as kept_count
    from ranges_found
    inner join bases_chosen
        on
            ranges_found.conversion_id = bases_chosen.conversion_id
            and ranges_found.item_id = bases_chosen.item_id
            and ranges_found.type = bases_chosen.type
),

{# Of too many: the first and the latest. #}
ranges_spelled_out as (
    select
        ranges_capped.conversion_id,
        ranges_capped.item_id,
        ranges_capped.relation_class,
        ranges_capped.type,
        units.visitor_key,
        case
            when numbers.number = 0 then ranges_capped.touches_before + 1
            else ranges_capped.last_place - ranges_capped.kept_count + 1 + numbers.number
        end as touch_place
    from ranges_capped
    inner join units
        on
            ranges_capped.conversion_id = units.conversion_id
            and ranges_capped.item_id = units.item_id
    {{ cross_join_numbers('ranges_capped.kept_count', 'numbers', 'number') }}
),

{# Touches of the same relation and of none were capped apart; together they may be too many. #}
touches_placed as (
    select
        ranges_spelled_out.conversion_id,
        ranges_spelled_out.item_id,
        touches_numbered.id as touch_id,
        touches_numbered.type as touch_type,
        row_number() over (
            partition by ranges_spelled_out.conversion_id, ranges_spelled_out.item_id
            order by touches_numbered.original_timestamp, touches_numbered.id
        ) as touch_place,
        count(*) over (partition by ranges_spelled_out.conversion_id, ranges_spelled_out.item_id)
            as touch_count,
        touches_numbered.original_timestamp as touch_at
    from ranges_spelled_out
    inner join touches_numbered
        on
            ranges_spelled_out.visitor_key = touches_numbered.visitor_key
            and ranges_spelled_out.item_id = touches_numbered.item_id
            and ranges_spelled_out.relation_class = touches_numbered.relation_class
            and ranges_spelled_out.type = touches_numbered.type
            and ranges_spelled_out.touch_place = touches_numbered.touch_place
),

touches_capped as (
    select
        conversion_id,
        item_id,
        touch_id,
        case when touch_type = 'click' then 'click' else 'view' end as basis,
        touch_type,
        case
            when touch_place = 1 then 1
            else touch_place - touch_count + least(touch_count, {{ var('sequen_max_touches') }})
        end as touch_number,
        least(touch_count, {{ var('sequen_max_touches') }}) as touch_count,
        touch_at
    from touches_placed
    where touch_place = 1 or touch_place > touch_count - ({{ var('sequen_max_touches') }} - 1)
),

touches as (
    select
        conversion_id,
        item_id,
        touch_id,
        basis,
        touch_type,
        touch_number,
        touch_count,
        touch_at
    from touches_capped

    union all

    select
        conversion_id,
        item_id,
        touch_id,
        'explicit' as basis,
        'impression' as touch_type,
        1 as touch_number,
        1 as touch_count,
        touch_at
    from units_with_link
)

select * from touches
