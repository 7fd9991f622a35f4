{# Events that may belong to another visitor now. #}
with

changed_events as (
    select * from {{ changes('int_event_keys') }}
),

changed_sessions as (
    select * from {{ changes('int_sessions_identified') }}
),

changed_devices as (
    select * from {{ changes('int_devices_identified') }}
),

changed_shared_devices as (
    select * from {{ changes('int_devices_shared') }}
),

{# Imported once for each use: a CTE that is read twice is kept in memory. #}
anonymous_events_of_sessions as (
    select
        id,
        sid,
        cid
    from {{ ref('int_event_keys') }}
    where uid is null and sid is not null
),

anonymous_events_without_session as (
    select
        id,
        cid,
        original_timestamp
    from {{ ref('int_event_keys') }}
    where uid is null and sid is null
),

anonymous_events_on_devices as (
    select
        id,
        cid
    from {{ ref('int_event_keys') }}
    where uid is null and sid is not null
),

int_sessions_identified as (
    select * from {{ ref('int_sessions_identified') }}
),

{# All events without user of one session and device go with the first of them. #}
sessions_affected as (
    select
        sid,
        cid
    from changed_sessions

    union distinct

    select
        int_sessions_identified.sid,
        int_sessions_identified.cid
    from int_sessions_identified
    inner join changed_devices
        on
            int_sessions_identified.cid = changed_devices.cid
            and int_sessions_identified.first_anonymous_at = changed_devices.original_timestamp
),

events_affected as (
    select id
    from changed_events

    union distinct

    select anonymous_events_of_sessions.id
    from anonymous_events_of_sessions
    inner join sessions_affected
        on
            anonymous_events_of_sessions.sid = sessions_affected.sid
            and anonymous_events_of_sessions.cid is not distinct from sessions_affected.cid

    union distinct

    select anonymous_events_without_session.id
    from anonymous_events_without_session
    inner join changed_devices
        on
            anonymous_events_without_session.cid = changed_devices.cid
            and anonymous_events_without_session.original_timestamp
            = changed_devices.original_timestamp

    union distinct

    {# With one batch of many users a device may become shared that named no user before. #}
    select id
    from anonymous_events_on_devices
    where cid in (select changed_shared_devices.cid from changed_shared_devices)
)

select * from events_affected
