with

source as (
    select * from {{ source('raw', 'batches') }}
),

versions_compared as (
    select
        batch_id,
        source,
        path,
        file_format,
        file_sha256,
        commit_id,
        contract_fingerprint,
        nullif(hint, '') as hint,
        version,
        file_bytes,
        records_read,
        accepted,
        quarantined,
        skipped,
        blank_lines,
        version = max(version) over (partition by source, path) as is_current,
        received_at,
        registered_at,
        committed_at
    from source
)

select * from versions_compared
