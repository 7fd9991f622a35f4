with

source as (
    select * from {{ source('raw', 'quarantined_records') }}
),

stg_batches as (
    select * from {{ ref('stg_batches') }}
),

records_of_current_batches as (
    select
        batch_id,
        source,
        source_file,
        type,
        rules,
        fields,
        raw,
        raw_sha256,
        source_line,
        source_item,
        raw_bytes,
        received_at
    from source
    where batch_id in (
        select stg_batches.batch_id from stg_batches
        where stg_batches.is_current
    )
)

select * from records_of_current_batches
