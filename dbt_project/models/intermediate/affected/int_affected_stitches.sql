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

anonymous_events as (
    select
        id,
        sid,
        cid,
        original_timestamp
    from {{ ref('int_event_keys') }}
    where uid is null
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

    select anonymous_events.id
    from anonymous_events
    inner join sessions_affected
        on
            anonymous_events.sid = sessions_affected.sid
            and anonymous_events.cid is not distinct from sessions_affected.cid

    union distinct

    select anonymous_events.id
    from anonymous_events
    inner join changed_devices
        on
            anonymous_events.cid = changed_devices.cid
            and anonymous_events.original_timestamp = changed_devices.original_timestamp
    where anonymous_events.sid is null

    union distinct

    {# With one batch of many users a device may become shared that named no user before. #}
    select id
    from anonymous_events
    where
        sid is not null
        and cid in (select changed_shared_devices.cid from changed_shared_devices)
)

select * from events_affected
