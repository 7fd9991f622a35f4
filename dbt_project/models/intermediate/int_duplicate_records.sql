{{ exact(
    key=['batch_id', 'source_line', 'source_item'],
    scope=['id'],
    affected_by=[{'rows_of': 'stg_affected_ids', 'columns': ['id']}],
) }}

with

{# Imported once for each use: a CTE that is read twice is kept in memory. #}
events as (
    select id from {{ ref('stg_events') }}
    where {{ affected_records() }}
),

records as (
    select * from {{ ref('stg_events') }}
    where {{ affected_records() }}
),

texts as (
    select
        batch_id,
        source_line,
        source_item,
        properties
    from {{ ref('stg_events') }}
    where {{ affected_records() }}
),

{# Few ids are seen twice, and only those are worth a sort. #}
ids_seen_twice as (
    select id
    from events
    group by 1
    having count(*) > 1
),

{# All that was accepted but ingest_timestamp, which a sender may set again with every delivery. #}
records_ranked as (
    select
        records.id,
        records.source,
        records.type,
        records.batch_id,
        records.source_line,
        records.source_item,
        {{ sequen.md5_of_array([
            'records.type',
            'records.uid',
            'records.sid',
            'records.cid',
            'records.rec_id',
            'records.page_view_id',
            'records.module_view_id',
            'records.impression_id',
            'records.item_id',
            'records.item_ids',
            'records.item_id_relation',
            'records.page_type',
            'records.click_type',
            'records.conversion_type',
            'records.rank',
            'cast(records.dwell_ms as varchar)',
            sequen.epoch_micros('records.original_timestamp'),
            sequen.epoch_micros('records.server_timestamp'),
        ]) }} as fields_md5,
        {{ sequen.md5_of_array(['records.properties']) }} as properties_md5,
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
        *,
        fields_md5 <> min(case when place = 1 then fields_md5 end) over (partition by id)
            as has_other_fields,
        properties_md5 <> min(case when place = 1 then properties_md5 end) over (partition by id)
            as has_other_properties
    from records_ranked
),

{# Custom fields that are written in another way may say the same; hardly ever is there a doubt. #}
ids_in_doubt as (
    select distinct id
    from records_compared
    where has_other_properties and not has_other_fields
),

records_in_doubt as (
    select
        records_ranked.id,
        records_ranked.place,
        records_ranked.batch_id,
        records_ranked.source_line,
        records_ranked.source_item
    from records_ranked
    inner join ids_in_doubt on records_ranked.id = ids_in_doubt.id
),

contents_read as (
    select
        records_in_doubt.id,
        records_in_doubt.place,
        texts.batch_id,
        texts.source_line,
        texts.source_item,
        {{ sequen.json_content_md5('texts.properties') }} as content_md5
    from texts
    inner join records_in_doubt
        on
            texts.batch_id = records_in_doubt.batch_id
            and texts.source_line = records_in_doubt.source_line
            and texts.source_item = records_in_doubt.source_item
),

contents_compared as (
    select
        batch_id,
        source_line,
        source_item,
        content_md5 <> min(case when place = 1 then content_md5 end) over (partition by id)
            as has_other_content
    from contents_read
),

duplicate_records as (
    select
        records_compared.id,
        records_compared.source,
        records_compared.type,
        records_compared.batch_id,
        records_compared.source_line,
        records_compared.source_item,
        records_compared.has_other_fields or (
            records_compared.has_other_properties
            and coalesce(contents_compared.has_other_content, true)
        ) as is_conflicting
    from records_compared
    left join contents_compared
        on
            records_compared.batch_id = contents_compared.batch_id
            and records_compared.source_line = contents_compared.source_line
            and records_compared.source_item = contents_compared.source_item
    where records_compared.place > 1
)

select * from duplicate_records
