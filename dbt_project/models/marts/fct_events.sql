{%- set kinds = ['page_view', 'module_view', 'impression'] -%}

with

int_events_stitched as (
    select * from {{ ref('int_events_stitched') }}
),

int_events_sessionized as (
    select * from {{ ref('int_events_sessionized') }}
),
{%- for kind in kinds %}

    {{ kind }}_targets as (
        select
            value,
            target_id
        from {{ ref('int_link_targets') }}
        where kind = '{{ kind }}'
    ),
{%- endfor %}

events_linked as (
    select
        int_events_stitched.id,
        int_events_stitched.type,
        int_events_stitched.uid,
        int_events_stitched.sid,
        int_events_stitched.cid,
        int_events_stitched.rec_id,
        int_events_stitched.page_view_id,
        int_events_stitched.module_view_id,
        int_events_stitched.impression_id,
        int_events_stitched.item_id,
        int_events_stitched.item_ids,
        int_events_stitched.item_id_relation,
        int_events_stitched.page_type,
        int_events_stitched.click_type,
        int_events_stitched.conversion_type,
        int_events_stitched.properties,
        int_events_stitched.visitor_key,
        case
            when
                '{{ var("sequen_session_rule") }}' = 'given'
                and int_events_stitched.sid is not null
                then
                    {{ session_key(
                        'int_events_stitched.visitor_key', "'sid'", 'int_events_stitched.sid'
                    ) }}
            else int_events_sessionized.session_key
        end as session_key,
        {%- for kind in kinds %}
            case
                when
                    int_events_stitched.type = '{{ kind }}'
                    or int_events_stitched.{{ kind }}_id is null
                    then 'absent'
                when {{ kind }}_targets.target_id is null then 'dangling'
                else 'resolved'
            end as {{ kind }}_link,
        {%- endfor %}
        {%- for kind in kinds %}
            {{ kind }}_targets.target_id as linked_{{ kind }}_id,
        {%- endfor %}
        int_events_stitched.source,
        int_events_stitched.batch_id,
        int_events_stitched.source_file,
        int_events_stitched.rank,
        int_events_stitched.dwell_ms,
        int_events_stitched.source_line,
        int_events_stitched.source_item,
        int_events_stitched.original_timestamp,
        int_events_stitched.server_timestamp,
        int_events_stitched.ingest_timestamp,
        int_events_stitched.received_at
    from int_events_stitched
    left join int_events_sessionized on int_events_stitched.id = int_events_sessionized.id
    {%- for kind in kinds %}
        left join {{ kind }}_targets
            on
                case
                    when int_events_stitched.type <> '{{ kind }}'
                        then int_events_stitched.{{ kind }}_id
                end = {{ kind }}_targets.value
    {%- endfor %}
)

select * from events_linked
