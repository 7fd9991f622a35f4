{{ exact(
    key=['batch_id', 'source_line', 'source_item'],
    scope=['batch_id'],
    touched_by=['stg_touched_batches.batch_id'],
    unlogged=['raw'],
) }}

with

stg_quarantined_events as (
    select * from {{ ref('stg_quarantined_events') }}
    where {{ touched(['batch_id']) }}
)

select * from stg_quarantined_events
