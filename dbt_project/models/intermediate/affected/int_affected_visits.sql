{#
  Visitors whose sessions may be others now, from when on. A session is anchored by what came before,
  so nothing before the first change moves.
#}
with

changed_events as (
    select * from {{ changes('int_events_stitched') }}
),

visits_affected as (
    select
        visitor_key,
        min(original_timestamp) as from_at
    from changed_events
    group by 1
)

select * from visits_affected
