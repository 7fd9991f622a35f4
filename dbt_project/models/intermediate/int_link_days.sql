{{ exact(
    key=['source', 'link', 'status', 'day'],
    scope=['day'],
    affected_by=[{'rows_of': 'int_affected_event_days', 'columns': ['day']}],
) }}

with

fct_events as (
    select * from {{ ref('fct_events') }}
    where {{ affected(['cast(original_timestamp as date)']) }}
),

fct_clicks as (
    select * from {{ ref('fct_clicks') }}
    where {{ affected(['cast(original_timestamp as date)']) }}
),

statuses_counted as (
    select
        source,
        page_view_link,
        module_view_link,
        impression_link,
        cast(original_timestamp as date) as day,
        count(*) as event_count
    from fct_events
    group by 1, 2, 3, 4, 5
),

links_united as (
    {%- for link in ['page_view', 'module_view', 'impression'] %}
        select
            source,
            '{{ link }}' as link,
            {{ link }}_link as status,
            event_count,
            day
        from statuses_counted

        union all
    {% endfor %}
    select
        source,
        'click_match' as link,
        match_method as status,
        count(*) as event_count,
        cast(original_timestamp as date) as day
    from fct_clicks
    group by 1, 2, 3, 5
),

links_by_day as (
    select
        source,
        link,
        status,
        cast(sum(event_count) as bigint) as event_count,
        day
    from links_united
    group by 1, 2, 3, 5
)

select * from links_by_day
