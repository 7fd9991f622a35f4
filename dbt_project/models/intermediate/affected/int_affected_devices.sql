{# Moments of devices whose user may be another one now. #}
with

changed_events as (
    select * from {{ changes('int_event_keys') }}
),

changed_sessions as (
    select * from {{ changes('int_sessions_identified') }}
),

int_event_keys as (
    select * from {{ ref('int_event_keys') }}
),

int_sessions_identified as (
    select * from {{ ref('int_sessions_identified') }}
),

{# A login names every anonymous moment of its device, however far away. #}
devices_with_changed_users as (
    select distinct cid
    from changed_events
    where uid is not null and cid is not null
),

moments_affected as (
    select
        cid,
        original_timestamp
    from changed_events
    where uid is null and sid is null and cid is not null

    union distinct

    select
        cid,
        first_anonymous_at as original_timestamp
    from changed_sessions
    where cid is not null

    union distinct

    select
        cid,
        original_timestamp
    from int_event_keys
    where
        uid is null
        and sid is null
        and cid in (select devices_with_changed_users.cid from devices_with_changed_users)

    union distinct

    select
        cid,
        first_anonymous_at as original_timestamp
    from int_sessions_identified
    where cid in (select devices_with_changed_users.cid from devices_with_changed_users)
)

select * from moments_affected
