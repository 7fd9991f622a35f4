with

source as (
    select * from {{ source('raw', 'events') }}
),

{#
  A left join that finds nothing, not `in` or `not exists`: DuckDB guesses that those keep a fifth
  of the rows, and then builds its hash tables on the wide events instead of on the narrow tables
  they meet: a million events no longer fit into 2 GB.
#}
outdated_batches as (
    select
        batch_id as outdated_batch_id,
        true as is_outdated
    from {{ ref('stg_batches') }}
    where not is_current
),

events_of_current_batches as (
    select
        source.id,
        source.id_hash,
        source.type,
        source.uid,
        source.sid,
        source.cid,
        source.rec_id,
        source.page_view_id,
        source.module_view_id,
        source.impression_id,
        source.item_id,
        source.item_ids,
        source.item_id_relation,
        source.page_type,
        source.click_type,
        source.conversion_type,
        source.properties,
        source.property_shape,
        source.record_md5,
        source.source,
        source.source_file,
        source.batch_id,
        source.rank,
        source.dwell_ms,
        source.source_line,
        source.source_item,
        source.original_timestamp,
        source.server_timestamp,
        source.ingest_timestamp,
        source.given_ingest_timestamp,
        source.received_at
    from source
    left join outdated_batches on source.batch_id = outdated_batches.outdated_batch_id
    where outdated_batches.is_outdated is null
)

select * from events_of_current_batches
