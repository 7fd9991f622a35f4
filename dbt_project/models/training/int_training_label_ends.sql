with

cuts as (
    select
        max(case when period = 'validation' then starts_at end) as validation_from,
        max(case when period = 'test' then starts_at end) as test_from,
        max(case when period = 'test' then ends_at end) as known_until
    from {{ ref('training_periods') }}
),

fct_impressions as (
    select
        id,
        original_timestamp
    from {{ ref('fct_impressions') }}
),

label_ends as (
    select
        fct_impressions.id,
        case
            when fct_impressions.original_timestamp < cuts.validation_from
                then cuts.validation_from
            when fct_impressions.original_timestamp < cuts.test_from then cuts.test_from
            else cuts.known_until
        end as labels_until
    from fct_impressions
    cross join cuts
)

select * from label_ends
