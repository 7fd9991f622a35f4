{# What events get to know of the page_view they resolve to, and a page_view of itself. #}
{{ exact(
    key=['id'],
    scope=['session_key'],
    affected_by=[
        {'changes_of': 'fct_page_views', 'columns': ['session_key']},
        {'rows_of': 'int_affected_page_shapes', 'columns': ['session_key']},
    ],
) }}

with

fct_page_views as (
    select * from {{ ref('fct_page_views') }}
    where {{ affected(['session_key']) }}
),

int_event_keys as (
    select
        id,
        property_shape
    from {{ ref('int_event_keys') }}
    where
        type = 'page_view'
        {%- if not is_full_build() %}
            and id_hash in (
                select {{ text_hash('fct_page_views.id') }} from fct_page_views
            )
        {%- endif %}
),

page_views_marked as (
    select
        fct_page_views.id,
        fct_page_views.session_key,
        coalesce(int_event_keys.property_shape, '[]') as property_shape,
        fct_page_views.dwell_ms is not null as has_dwell_time_event,
        row_number() over (
            partition by fct_page_views.session_key
            order by fct_page_views.original_timestamp, fct_page_views.id
        ) = 1 as is_session_first_page_view,
        cast(fct_page_views.original_timestamp as date) as event_date
    from fct_page_views
    inner join int_event_keys on fct_page_views.id = int_event_keys.id
)

select * from page_views_marked
