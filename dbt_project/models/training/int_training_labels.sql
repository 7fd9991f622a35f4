with

int_training_label_ends as (
    select * from {{ ref('int_training_label_ends') }}
),

int_training_dwell_times as (
    select * from {{ ref('int_training_dwell_times') }}
),

clicks as (
    select
        id,
        matched_impression_id,
        original_timestamp
    from {{ ref('fct_clicks') }}
),

clicks_known as (
    select
        clicks.matched_impression_id as impression_id,
        min(clicks.original_timestamp) as clicked_at
    from clicks
    inner join int_training_label_ends
        on clicks.matched_impression_id = int_training_label_ends.id
    where clicks.original_timestamp < int_training_label_ends.labels_until
    group by 1
),

{# The last touch holds the whole credit of last_touch, as in fct_impressions. #}
last_touches as (
    select
        touch_id,
        touch_type,
        converted_at
    from {{ ref('fct_attributions') }}
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
        min(impressions_credited.converted_at) as converted_at
    from impressions_credited
    inner join int_training_label_ends
        on impressions_credited.impression_id = int_training_label_ends.id
    where impressions_credited.converted_at < int_training_label_ends.labels_until
    group by 1
),

labels_joined as (
    select
        int_training_label_ends.id as impression_id,
        clicks_known.clicked_at,
        conversions_known.converted_at,
        int_training_dwell_times.dwell_ms,
        int_training_label_ends.labels_until
    from int_training_label_ends
    left join clicks_known on int_training_label_ends.id = clicks_known.impression_id
    left join conversions_known on int_training_label_ends.id = conversions_known.impression_id
    left join int_training_dwell_times
        on int_training_label_ends.id = int_training_dwell_times.impression_id
)

select * from labels_joined
