{{ exact(
    key=['id'],
    affected_by=[{'rows_of': 'int_affected_anchors', 'columns': ['id']}],
) }}

with

{# Imported once for each use: a CTE that is read twice is kept in memory. #}
events_without_session as (
    select
        visitor_key,
        case when '{{ var("sequen_session_rule") }}' = 'given' then sid end as sid
    from {{ ref('int_events_stitched') }}
    where {{ affected_records(ref('int_events_stitched')) }}
),

events as (
    select
        id,
        visitor_key,
        case when '{{ var("sequen_session_rule") }}' = 'given' then sid end as sid,
        cast(null as varchar) as known_session_key,
        {{ epoch_micros('original_timestamp') }} as happened_at_us
    from {{ ref('int_events_stitched') }}
    where {{ affected_records(ref('int_events_stitched')) }}
),
{%- if not is_full_build() %}

    {# What came right before the first change is as it was: its session may go on. #}
    latest_unaffected as (
        select
            int_events_stitched.visitor_key,
            max({{ ordered_pair(
                'int_events_stitched.original_timestamp', 'int_events_stitched.id'
            ) }}) as latest
        from {{ ref('int_events_stitched') }} as int_events_stitched
        inner join {{ ref('int_affected_visits') }} as int_affected_visits
            on
                int_events_stitched.visitor_key = int_affected_visits.visitor_key
                and int_events_stitched.original_timestamp < int_affected_visits.from_at
        group by 1
    ),

    unaffected_events as (
        select
            int_events_stitched.id,
            int_events_stitched.visitor_key,
            case
                when '{{ var("sequen_session_rule") }}' = 'given' then int_events_stitched.sid
            end as sid,
            events_before.session_key as known_session_key,
            {{ epoch_micros('int_events_stitched.original_timestamp') }} as happened_at_us
        from latest_unaffected
        inner join {{ ref('int_events_stitched') }} as int_events_stitched
            on {{ second_of_pair('latest_unaffected.latest') }} = int_events_stitched.id
        left join {{ this }} as events_before on int_events_stitched.id = events_before.id
    ),
{%- endif %}

{# An event with a sid needs no look back, so a visitor who always sends one is left out. #}
visitors_to_look_back as (
    select distinct visitor_key
    from events_without_session
    where sid is null
),

events_to_look_at as (
    select events.*
    from events
    inner join visitors_to_look_back on events.visitor_key = visitors_to_look_back.visitor_key
    {%- if not is_full_build() %}
        union all
        select * from unaffected_events
    {%- endif %}
),

events_with_gaps as (
    select
        id,
        visitor_key,
        sid,
        known_session_key,
        happened_at_us,
        happened_at_us - lag(happened_at_us) over (
            partition by visitor_key
            order by happened_at_us, id
        ) as gap_us
    from events_to_look_at
),

{# A visitor's first event has no gap: null starts a session too. #}
sessions_started as (
    select
        id,
        visitor_key,
        sid,
        known_session_key,
        happened_at_us,
        case
            when known_session_key is not null then known_session_key
            when sid is not null then {{ session_key('visitor_key', "'sid'", 'sid') }}
            when
                coalesce(
                    gap_us > {{ minutes_in_micros(var('sequen_session_timeout_minutes')) }}, true
                )
                then {{ session_key('visitor_key', "'event'", 'id') }}
        end as started_session_key
    from events_with_gaps
),

sessions_carried as (
    select
        id,
        sid,
        known_session_key,
        {{ last_known('started_session_key') }} over (
            partition by visitor_key
            order by happened_at_us, id
            rows between unbounded preceding and current row
        ) as session_key
    from sessions_started
),

events_sessionized as (
    select
        id,
        session_key
    from sessions_carried
    where sid is null and known_session_key is null
)

select * from events_sessionized
