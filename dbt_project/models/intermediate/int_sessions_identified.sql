{{ exact(
    key=['sid', 'cid'],
    scope=['sid'],
    affected_by=[{'changes_of': 'int_event_keys', 'columns': ['sid']}],
) }}

with

events as (
    select
        uid,
        sid,
        cid,
        original_timestamp
    from {{ ref('int_event_keys') }}
    where sid is not null and {{ var('sequen_stitching') }} and {{ affected(['sid']) }}
),

{# Far fewer than events, which are therefore read once. #}
users_of_devices as (
    select
        sid,
        cid,
        uid,
        min(case when uid is null then original_timestamp end) as first_anonymous_at
    from events
    group by 1, 2, 3
),

{# One row per session id and device: who is named there, and when an unnamed event first was. #}
devices_of_sessions as (
    select
        sid,
        cid,
        min(uid) as least_uid,
        max(uid) as greatest_uid,
        min(first_anonymous_at) as first_anonymous_at
    from users_of_devices
    group by 1, 2
),

users_of_sessions as (
    select
        sid,
        min(least_uid) as least_uid,
        max(greatest_uid) as greatest_uid,
        min(case when cid is null then least_uid end) as least_uid_without_device,
        max(case when cid is null then greatest_uid end) as greatest_uid_without_device,
        count(distinct cid) as cid_count
    from devices_of_sessions
    group by 1
),

users_counted as (
    select
        sid,
        count(distinct uid) as uid_count
    from users_of_devices
    group by 1
),

{# Without a device an event may be anybody's of its session; with one not another device's. #}
users_in_reach as (
    select
        devices_of_sessions.sid,
        devices_of_sessions.cid,
        case
            when devices_of_sessions.cid is null then users_of_sessions.least_uid
            else least(
                coalesce(devices_of_sessions.least_uid, users_of_sessions.least_uid_without_device),
                coalesce(users_of_sessions.least_uid_without_device, devices_of_sessions.least_uid)
            )
        end as least_uid,
        case
            when devices_of_sessions.cid is null then users_of_sessions.greatest_uid
            else greatest(
                coalesce(
                    devices_of_sessions.greatest_uid, users_of_sessions.greatest_uid_without_device
                ),
                coalesce(
                    users_of_sessions.greatest_uid_without_device, devices_of_sessions.greatest_uid
                )
            )
        end as greatest_uid,
        users_counted.uid_count > {{ var('sequen_max_users_per_device') }}
        or users_of_sessions.cid_count > {{ var('sequen_max_users_per_device') }} as is_shared,
        devices_of_sessions.first_anonymous_at
    from devices_of_sessions
    inner join users_of_sessions on devices_of_sessions.sid = users_of_sessions.sid
    inner join users_counted on devices_of_sessions.sid = users_counted.sid
    where devices_of_sessions.first_anonymous_at is not null
),

sessions_identified as (
    select
        sid,
        cid,
        case when least_uid = greatest_uid and not is_shared then least_uid end as uid,
        is_shared,
        first_anonymous_at
    from users_in_reach
)

select * from sessions_identified
