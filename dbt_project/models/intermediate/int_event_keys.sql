{# What stitching, sessions and links look at, stored apart: they search the whole history by it. #}
{{ exact(
    key=['id'],
    affected_by=[{'rows_of': 'stg_affected_ids', 'columns': ['id']}],
    is_hashed=true,
) }}

with

int_events_deduplicated as (
    select
        id,
        id_hash,
        type,
        uid,
        sid,
        cid,
        page_view_id,
        module_view_id,
        impression_id,
        property_shape,
        batch_id,
        source_line,
        source_item,
        original_timestamp
    from {{ ref('int_events_deduplicated') }}
    where {{ affected_records() }}
)

select * from int_events_deduplicated
