{{ exact(
    key=['batch_id', 'source_line', 'source_item'],
    scope=['id'],
    touched_by=['stg_touched_ids.id'],
) }}

with

{# Imported once for each use: a CTE that is read twice is kept in memory. #}
events as (
    select id from {{ ref('stg_events') }}
    where {{ touched_records() }}
),

records as (
    select * from {{ ref('stg_events') }}
    where {{ touched_records() }}
),

{# Few ids are seen twice, and only those are worth a sort. #}
ids_seen_twice as (
    select id
    from events
    group by 1
    having count(*) > 1
),

records_ranked as (
    select
        records.id,
        records.record_md5,
        records.batch_id,
        records.source_line,
        records.source_item,
        row_number() over (
            partition by records.id
            order by
                records.given_ingest_timestamp asc nulls last,
                records.original_timestamp asc,
                records.record_md5 asc,
                records.source_file asc,
                records.source_line asc,
                records.source_item asc,
                records.source asc
        ) as place
    from records
    inner join ids_seen_twice on records.id = ids_seen_twice.id
),

records_compared as (
    select
        id,
        batch_id,
        source_line,
        source_item,
        place,
        record_md5 <> min(case when place = 1 then record_md5 end) over (partition by id)
            as is_conflicting
    from records_ranked
),

records_outranked as (
    select
        id,
        batch_id,
        source_line,
        source_item,
        is_conflicting
    from records_compared
    where place > 1
)

select * from records_outranked
