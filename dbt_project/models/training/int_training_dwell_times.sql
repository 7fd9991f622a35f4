with

int_training_label_ends as (
    select * from {{ ref('int_training_label_ends') }}
),

int_training_opened_pages as (
    select * from {{ ref('int_training_opened_pages') }}
),

dwell_times as (
    select
        linked_impression_id,
        linked_page_view_id,
        dwell_ms,
        original_timestamp
    from {{ ref('fct_events') }}
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
        int_training_opened_pages.impression_id,
        1 as basis,
        dwell_times.dwell_ms,
        greatest(int_training_opened_pages.opened_at, dwell_times.original_timestamp) as known_at
    from dwell_times
    inner join int_training_opened_pages
        on dwell_times.linked_page_view_id = int_training_opened_pages.page_view_id
    where dwell_times.linked_impression_id is null and int_training_opened_pages.page_place = 1
),

{# Decimals, so that the order of adding changes nothing. What a bigint cannot hold is left out. #}
dwell_times_known as (
    select
        dwell_times_traced.impression_id,
        dwell_times_traced.basis,
        case
            when sum(dwell_times_traced.dwell_ms) < 9223372036854775807
                then cast(round(sum(dwell_times_traced.dwell_ms)) as bigint)
        end as dwell_ms
    from dwell_times_traced
    inner join int_training_label_ends
        on dwell_times_traced.impression_id = int_training_label_ends.id
    where dwell_times_traced.known_at < int_training_label_ends.labels_until
    group by 1, 2
),

{# What was measured on the impression itself wins over the page that it led to. #}
dwell_times_chosen as (
    select
        impression_id,
        min_by(dwell_ms, basis) as dwell_ms
    from dwell_times_known
    group by 1
)

select * from dwell_times_chosen
