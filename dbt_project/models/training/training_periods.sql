{# Exact quantiles: the same cuts for any order of the rows. #}
with

fct_events as (
    select max(original_timestamp) as last_event_at
    from {{ ref('fct_events') }}
),

impressions_cut as (
    select
        {{ value_at_percent('original_timestamp', [var('sequen_train_percent')]) }}
            as validation_from,
        {{ value_at_percent(
            'original_timestamp', [var('sequen_train_percent'), var('sequen_validation_percent')]
        ) }} as test_from
    from {{ ref('fct_impressions') }}
),

cuts as (
    select
        impressions_cut.validation_from,
        impressions_cut.test_from,
        fct_events.last_event_at + interval 1 microsecond as known_until
    from impressions_cut
    cross join fct_events
),

periods as (
    select
        'train' as period,
        {{ var('sequen_train_percent') }} as share_percent,
        cast(null as timestamp) as starts_at,
        validation_from as ends_at
    from cuts
    union all
    select
        'validation' as period,
        {{ var('sequen_validation_percent') }} as share_percent,
        validation_from as starts_at,
        test_from as ends_at
    from cuts
    union all
    select
        'test' as period,
        100 - {{ var('sequen_train_percent') }} - {{ var('sequen_validation_percent') }}
            as share_percent,
        test_from as starts_at,
        known_until as ends_at
    from cuts
)

select * from periods
