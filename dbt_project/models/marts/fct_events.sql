{{ exact(
    key=['id'],
    affected_by=[
        {'rows_of': 'stg_affected_ids', 'columns': ['id']},
        {'changes_of': 'int_events_stitched', 'columns': ['id']},
        {'changes_of': 'int_events_sessionized', 'columns': ['id']},
        {'rows_of': 'int_affected_links', 'columns': ['id']},
    ],
    unlogged=['properties'],
    is_hashed=true,
) }}
{%- set kinds = ['page_view', 'module_view', 'impression'] -%}

with

int_events_deduplicated as (
    select * from {{ ref('int_events_deduplicated') }}
    where {{ affected_records() }}
),

int_events_stitched as (
    select
        id,
        visitor_key
    from {{ ref('int_events_stitched') }}
    where {{ affected_records(ref('int_events_stitched')) }}
),

int_events_sessionized as (
    select * from {{ ref('int_events_sessionized') }}
    where {{ affected(['id']) }}
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
        int_events_deduplicated.id,
        int_events_deduplicated.type,
        int_events_deduplicated.uid,
        int_events_deduplicated.sid,
        int_events_deduplicated.cid,
        int_events_deduplicated.rec_id,
        int_events_deduplicated.page_view_id,
        int_events_deduplicated.module_view_id,
        int_events_deduplicated.impression_id,
        int_events_deduplicated.item_id,
        int_events_deduplicated.item_ids,
        int_events_deduplicated.item_id_relation,
        int_events_deduplicated.page_type,
        int_events_deduplicated.click_type,
        int_events_deduplicated.conversion_type,
        int_events_deduplicated.properties,
        int_events_stitched.visitor_key,
        case
            when
                '{{ var("sequen_session_rule") }}' = 'given'
                and int_events_deduplicated.sid is not null
                then
                    {{ session_key(
                        'int_events_stitched.visitor_key', "'sid'", 'int_events_deduplicated.sid'
                    ) }}
            else int_events_sessionized.session_key
        end as session_key,
        {%- for kind in kinds %}
            case
                when
                    int_events_deduplicated.type = '{{ kind }}'
                    or int_events_deduplicated.{{ kind }}_id is null
                    then 'absent'
                when {{ kind }}_targets.target_id is null then 'dangling'
                else 'resolved'
            end as {{ kind }}_link,
        {%- endfor %}
        {%- for kind in kinds %}
            {{ kind }}_targets.target_id as linked_{{ kind }}_id,
        {%- endfor %}
        int_events_deduplicated.source,
        int_events_deduplicated.batch_id,
        int_events_deduplicated.source_file,
        int_events_deduplicated.rank,
        int_events_deduplicated.dwell_ms,
        int_events_deduplicated.source_line,
        int_events_deduplicated.source_item,
        int_events_deduplicated.original_timestamp,
        int_events_deduplicated.server_timestamp,
        int_events_deduplicated.ingest_timestamp,
        int_events_deduplicated.received_at,
        int_events_deduplicated.id_hash
    from int_events_deduplicated
    inner join int_events_stitched on int_events_deduplicated.id = int_events_stitched.id
    left join int_events_sessionized on int_events_deduplicated.id = int_events_sessionized.id
    {%- for kind in kinds %}
        left join {{ kind }}_targets
            on
                case
                    when int_events_deduplicated.type <> '{{ kind }}'
                        then int_events_deduplicated.{{ kind }}_id
                end = {{ kind }}_targets.value
    {%- endfor %}
)

select * from events_linked
