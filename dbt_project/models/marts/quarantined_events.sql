with

stg_quarantined_events as (
    select * from {{ ref('stg_quarantined_events') }}
)

select * from stg_quarantined_events
