{{ exact(
    key=['batch_id', 'source_line', 'source_item'],
    scope=['batch_id'],
    affected_by=[{'rows_of': 'stg_affected_batches', 'columns': ['batch_id']}],
    unlogged=['raw'],
) }}

with

stg_quarantined_events as (
    select * from {{ ref('stg_quarantined_events') }}
    where {{ affected(['batch_id']) }}
)

select * from stg_quarantined_events
