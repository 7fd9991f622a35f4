{{ exact(
    key=['id'],
    affected_by=[{'rows_of': 'int_affected_matches', 'columns': ['id']}],
) }}

{%- set keys_by_method = {
    'rec_id': 'rec_id', 'page_view_id': 'page_view_id', 'window': "''"
} -%}

with

clicks as (
    select * from {{ ref('int_item_interactions') }}
    where type = 'click' and {{ affected_records() }}
),

impressions as (
    select * from {{ ref('int_item_interactions') }}
    where type = 'impression'
),

clicks_by_relation as (
    select
        clicks.*,
        classes.relation_class
    from clicks
    {{ cross_join_unnest(
        accepted_relation_classes('clicks.item_id_relation'), 'classes', 'relation_class'
    ) }}
    where clicks.linked_impression_id is null
),

items_asked as (
    select distinct
        visitor_key,
        item_id
    from clicks_by_relation
),

relations_asked as (
    select distinct
        visitor_key,
        item_id,
        relation_class
    from clicks_by_relation
),

impressions_of_items as (
    select impressions.*
    from impressions
    inner join items_asked
        on
            impressions.visitor_key = items_asked.visitor_key
            and impressions.item_id = items_asked.item_id
),

impressions_classed as (
    select
        impressions_of_items.*,
        classes.relation_class
    from impressions_of_items
    {{ cross_join_unnest(
        relation_classes('impressions_of_items.item_id_relation'), 'classes', 'relation_class'
    ) }}
),

impressions_by_relation as (
    select impressions_classed.*
    from impressions_classed
    inner join relations_asked
        on
            impressions_classed.visitor_key = relations_asked.visitor_key
            and impressions_classed.item_id = relations_asked.item_id
            and impressions_classed.relation_class = relations_asked.relation_class
),

{# place 0 before 1: an impression at the very time of the click counts as before it. #}
rows_by_method as (
    {%- for method, key in keys_by_method.items() %}
        select
            '{{ method }}' as match_method,
            {{ loop.index }} as method_place,
            visitor_key,
            item_id,
            relation_class,
            {{ key }} as shared_value,
            id,
            cast(null as varchar) as impression_id,
            cast(null as timestamp) as seen_at,
            1 as place,
            original_timestamp
        from clicks_by_relation
        where {{ key }} is not null

        union all

        select
            '{{ method }}' as match_method,
            {{ loop.index }} as method_place,
            visitor_key,
            item_id,
            relation_class,
            {{ key }} as shared_value,
            id,
            id as impression_id,
            original_timestamp as seen_at,
            0 as place,
            original_timestamp
        from impressions_by_relation
        where {{ key }} is not null
        {%- if not loop.last %}

            union all
        {%- endif %}
    {%- endfor %}
),

latest_impressions_carried as (
    select
        id,
        match_method,
        method_place,
        place,
        original_timestamp,
        {{ last_known('impression_id') }} over (
            partition by visitor_key, item_id, shared_value, relation_class, match_method
            order by original_timestamp, place, id
            rows between unbounded preceding and current row
        ) as impression_id,
        {{ last_known('seen_at') }} over (
            partition by visitor_key, item_id, shared_value, relation_class, match_method
            order by original_timestamp, place, id
            rows between unbounded preceding and current row
        ) as seen_at
    from rows_by_method
),

matches_ranked as (
    select
        id,
        impression_id,
        match_method,
        row_number() over (
            partition by id
            order by method_place asc, seen_at desc, impression_id desc
        ) as preference
    from latest_impressions_carried
    where
        place = 1
        and impression_id is not null
        and (
            match_method <> 'window'
            or {{ epoch_micros('original_timestamp') }} - {{ epoch_micros('seen_at') }}
            <= {{ minutes_in_micros(var('sequen_click_window_minutes')) }}
        )
),

matches_preferred as (
    select
        id,
        impression_id,
        match_method
    from matches_ranked
    where preference = 1
),

clicks_matched as (
    select
        clicks.id,
        coalesce(clicks.linked_impression_id, matches_preferred.impression_id)
            as matched_impression_id,
        case
            when clicks.linked_impression_id is not null then 'impression_id'
            else coalesce(matches_preferred.match_method, 'none')
        end as match_method
    from clicks
    left join matches_preferred on clicks.id = matches_preferred.id
)

select * from clicks_matched
