with

stg_batches as (
    select * from {{ ref('stg_batches') }}
),

int_batch_duplicates as (
    select * from {{ ref('int_batch_duplicates') }}
),

batches_numbered as (
    select
        *,
        first_value(batch_id) over (
            partition by file_sha256
            order by registered_at, batch_id
            rows between unbounded preceding and unbounded following
        ) as first_batch_id
    from stg_batches
),

{# Only current versions take part in the tables, so only they can lose records as duplicates. #}
batches_with_duplicates as (
    select
        batches_numbered.batch_id,
        batches_numbered.source,
        batches_numbered.path,
        batches_numbered.file_format,
        batches_numbered.file_sha256,
        batches_numbered.commit_id,
        batches_numbered.contract_fingerprint,
        nullif(batches_numbered.first_batch_id, batches_numbered.batch_id) as is_copy_of,
        batches_numbered.hint,
        batches_numbered.version,
        batches_numbered.file_bytes,
        batches_numbered.records_read,
        batches_numbered.accepted,
        batches_numbered.quarantined,
        batches_numbered.skipped,
        batches_numbered.blank_lines,
        case
            when batches_numbered.is_current
                then cast(coalesce(int_batch_duplicates.duplicate_records, 0) as bigint)
        end as duplicate_records,
        case
            when batches_numbered.is_current
                then cast(coalesce(int_batch_duplicates.conflicting_records, 0) as bigint)
        end as conflicting_records,
        batches_numbered.is_current,
        batches_numbered.received_at,
        batches_numbered.registered_at,
        batches_numbered.committed_at
    from batches_numbered
    left join int_batch_duplicates
        on batches_numbered.batch_id = int_batch_duplicates.batch_id
)

select * from batches_with_duplicates
