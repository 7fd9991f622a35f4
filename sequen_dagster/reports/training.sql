-- One row per impression: what was known when it was shown, what had followed by the end of its
-- period, and its split. Run on the published snapshot. The variables validation_from, test_from
-- and known_until are instants; train_percent and validation_percent are whole numbers.
-- A table first, which the caller sorts: joins and a sort of wide rows in one query hold more in
-- memory than both, one after the other, and none of it can be put on the disk meanwhile.

create or replace temporary table training_rows as

with

-- An event that is later than the impression was not known when it was shown, whatever links to it.
module_views as (
    select
        id,
        rank,
        original_timestamp
    from fct_module_views
),

page_views as (
    select
        id,
        page_type,
        original_timestamp
    from fct_page_views
),

-- The first 15 hex digits of the md5, as in id_hash: the same number on every machine, in any order.
impressions_hashed as (
    select
        *,
        cast(('0x' || substr(md5(visitor_key), 1, 15)) as bigint) % 100 as visitor_bucket,
    from fct_impressions
),

impressions_split as (
    select
        *,
        case
            when visitor_bucket < getvariable('train_percent') then 'train'
            when visitor_bucket < getvariable('train_percent') + getvariable('validation_percent')
                then 'validation'
            else 'test'
        end as visitor_split,
        case
            when original_timestamp < getvariable('validation_from') then 'train'
            when original_timestamp < getvariable('test_from') then 'validation'
            else 'test'
        end as time_split,
    from impressions_hashed
),

-- Narrow, since every label reads it.
periods as (
    select
        id,
        cast(
            case
                when original_timestamp < getvariable('validation_from')
                    then getvariable('validation_from')
                when original_timestamp < getvariable('test_from') then getvariable('test_from')
                else getvariable('known_until')
            end as timestamp
        ) as labels_until,
    from fct_impressions
),

clicks as (
    select
        id,
        session_key,
        item_id,
        item_id_relation,
        matched_impression_id,
        original_timestamp
    from fct_clicks
),

clicks_known as (
    select
        clicks.matched_impression_id as impression_id,
        min(clicks.original_timestamp) as clicked_at,
    from clicks
    inner join periods on clicks.matched_impression_id = periods.id
    where clicks.original_timestamp < periods.labels_until
    group by 1
),

-- The last touch holds the whole credit of last_touch, as in fct_impressions.
last_touches as (
    select
        touch_id,
        touch_type,
        converted_at
    from fct_attributions
    where touch_number = touch_count
),

impressions_credited as (
    select
        touch_id as impression_id,
        converted_at
    from last_touches
    where touch_type = 'impression'

    union all

    select
        clicks.matched_impression_id as impression_id,
        last_touches.converted_at
    from last_touches
    inner join clicks on last_touches.touch_id = clicks.id
    where last_touches.touch_type = 'click'
),

conversions_known as (
    select
        impressions_credited.impression_id,
        min(impressions_credited.converted_at) as converted_at,
    from impressions_credited
    inner join periods on impressions_credited.impression_id = periods.id
    where impressions_credited.converted_at < periods.labels_until
    group by 1
),

page_views_of_items as (
    select
        id,
        session_key,
        item_id,
        item_id_relation,
        original_timestamp
    from fct_events
    where
        type = 'page_view'
        and item_id is not null
        and exists (
            select 1
            from clicks
            where
                fct_events.session_key = clicks.session_key
                and fct_events.item_id = clicks.item_id
        )
),

-- A page belongs to the session's latest click on its item: what came after another click is not
-- the doing of the first. At one instant the click comes first.
clicks_and_page_views as (
    select
        session_key,
        item_id,
        id as click_id,
        cast(null as varchar) as page_view_id,
        cast(null as varchar) as page_relation,
        0 as place,
        id,
        original_timestamp
    from clicks

    union all

    select
        session_key,
        item_id,
        cast(null as varchar) as click_id,
        id as page_view_id,
        item_id_relation as page_relation,
        1 as place,
        id,
        original_timestamp
    from page_views_of_items
),

latest_clicks_carried as (
    select
        page_view_id,
        page_relation,
        last_value(click_id ignore nulls) over (
            partition by session_key, item_id
            order by original_timestamp, place, id
            rows between unbounded preceding and current row
        ) as click_id,
        original_timestamp
    from clicks_and_page_views
),

page_views_opened as (
    select
        clicks.matched_impression_id as impression_id,
        latest_clicks_carried.page_view_id,
        latest_clicks_carried.original_timestamp as opened_at,
        row_number() over (
            partition by latest_clicks_carried.click_id
            order by latest_clicks_carried.original_timestamp, latest_clicks_carried.page_view_id
        ) as page_place,
    from latest_clicks_carried
    inner join clicks on latest_clicks_carried.click_id = clicks.id
    where
        latest_clicks_carried.page_view_id is not null
        and clicks.matched_impression_id is not null
        and coalesce(clicks.item_id_relation = latest_clicks_carried.page_relation, true)
),

dwell_times as (
    select
        linked_impression_id,
        linked_page_view_id,
        dwell_ms,
        original_timestamp
    from fct_events
    where type = 'dwell_time'
),

dwell_times_traced as (
    select
        linked_impression_id as impression_id,
        0 as basis,
        dwell_ms,
        original_timestamp as known_at
    from dwell_times
    where linked_impression_id is not null

    union all

    select
        page_views_opened.impression_id,
        1 as basis,
        dwell_times.dwell_ms,
        greatest(page_views_opened.opened_at, dwell_times.original_timestamp) as known_at
    from dwell_times
    inner join page_views_opened
        on dwell_times.linked_page_view_id = page_views_opened.page_view_id
    where dwell_times.linked_impression_id is null and page_views_opened.page_place = 1
),

-- Decimals, so that no order of adding changes the sum. What fits no bigint is no dwell time.
dwell_times_known as (
    select
        dwell_times_traced.impression_id,
        dwell_times_traced.basis,
        try_cast(sum(dwell_times_traced.dwell_ms) as bigint) as dwell_ms,
    from dwell_times_traced
    inner join periods on dwell_times_traced.impression_id = periods.id
    where dwell_times_traced.known_at < periods.labels_until
    group by 1, 2
),

-- What was measured on the impression itself wins over the page that it led to.
dwell_times_chosen as (
    select
        impression_id,
        arg_min(dwell_ms, basis) as dwell_ms,
    from dwell_times_known
    group by 1
),

sent as (
    select
        id,
        page_view_id,
        properties,
        server_timestamp
    from fct_events
    where type = 'impression'
),

rows_completed as (
    select
        impressions_split.id as impression_id,
        impressions_split.visitor_key,
        impressions_split.session_key,
        impressions_split.rec_id,
        impressions_split.module_view_id,
        case
            when sent.page_view_id is not null or module_views.id is not null
                then impressions_split.page_view_id
        end as page_view_id,
        impressions_split.item_id,
        impressions_split.item_id_relation,
        impressions_split.source,
        page_views.page_type,
        sent.properties,
        impressions_split.visitor_split,
        impressions_split.time_split,
        case
            when impressions_split.visitor_split = impressions_split.time_split
                then impressions_split.time_split
            else 'unused'
        end as split,
        impressions_split.rank,
        module_views.rank as module_rank,
        cast(impressions_split.visitor_bucket as integer) as visitor_bucket,
        dwell_times_chosen.dwell_ms,
        (epoch_us(periods.labels_until) - epoch_us(impressions_split.original_timestamp))
        // 3600000000 as label_hours,
        clicks_known.clicked_at is not null as is_clicked,
        conversions_known.converted_at is not null as is_converted,
        impressions_split.original_timestamp,
        sent.server_timestamp,
        clicks_known.clicked_at,
        conversions_known.converted_at,
        periods.labels_until
    from impressions_split
    inner join periods on impressions_split.id = periods.id
    inner join sent on impressions_split.id = sent.id
    left join module_views
        on
            impressions_split.linked_module_view_id = module_views.id
            and impressions_split.original_timestamp >= module_views.original_timestamp
    left join page_views
        on
            case
                when sent.page_view_id is not null or module_views.id is not null
                    then impressions_split.linked_page_view_id
            end = page_views.id
            and impressions_split.original_timestamp >= page_views.original_timestamp
    left join clicks_known on impressions_split.id = clicks_known.impression_id
    left join conversions_known on impressions_split.id = conversions_known.impression_id
    left join dwell_times_chosen on impressions_split.id = dwell_times_chosen.impression_id
)

select * from rows_completed
