with

int_training_labels as (
    select * from {{ ref('int_training_labels') }}
),

cuts as (
    select
        max(case when period = 'validation' then starts_at end) as validation_from,
        max(case when period = 'test' then starts_at end) as test_from
    from {{ ref('training_periods') }}
),

{# What is later than the impression was not known when it was shown, whatever links to it. #}
module_views as (
    select
        id,
        rank,
        original_timestamp
    from {{ ref('fct_module_views') }}
),

page_views as (
    select
        id,
        page_type,
        original_timestamp
    from {{ ref('fct_page_views') }}
),

{# The same number on every machine, in any order. #}
impressions_hashed as (
    select
        *,
        {{ text_hash('visitor_key') }} % 100 as visitor_bucket
    from {{ ref('fct_impressions') }}
),

impressions_split as (
    select
        impressions_hashed.*,
        case
            when impressions_hashed.visitor_bucket < {{ var('sequen_train_percent') }} then 'train'
            when
                impressions_hashed.visitor_bucket
                < {{ var('sequen_train_percent') }} + {{ var('sequen_validation_percent') }}
                then 'validation'
            else 'test'
        end as visitor_split,
        case
            when impressions_hashed.original_timestamp < cuts.validation_from then 'train'
            when impressions_hashed.original_timestamp < cuts.test_from then 'validation'
            else 'test'
        end as time_split
    from impressions_hashed
    cross join cuts
),

sent as (
    select
        id,
        page_view_id,
        properties,
        server_timestamp
    from {{ ref('fct_events') }}
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
        int_training_labels.dwell_ms,
        {{ floor_divide(
            '(' ~ epoch_micros('int_training_labels.labels_until') ~ ' - '
            ~ epoch_micros('impressions_split.original_timestamp') ~ ')', 3600000000
        ) }} as label_hours,
        int_training_labels.clicked_at is not null as is_clicked,
        int_training_labels.converted_at is not null as is_converted,
        impressions_split.original_timestamp,
        sent.server_timestamp,
        int_training_labels.clicked_at,
        int_training_labels.converted_at,
        int_training_labels.labels_until
    from impressions_split
    inner join int_training_labels on impressions_split.id = int_training_labels.impression_id
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
)

select * from rows_completed
