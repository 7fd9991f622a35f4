{{ exact(
    key=['cid', 'original_timestamp'],
    affected_by=[{'rows_of': 'int_affected_devices', 'columns': ['cid', 'original_timestamp']}],
) }}

with

int_sessions_identified as (
    select * from {{ ref('int_sessions_identified') }}
    where {{ affected(['cid', 'first_anonymous_at']) }}
),

events_without_session as (
    select
        cid,
        original_timestamp
    from {{ ref('int_event_keys') }}
    where
        uid is null
        and sid is null
        and cid is not null
        and {{ var('sequen_stitching') }}
        and {{ affected(['cid', 'original_timestamp']) }}
),

events_with_user as (
    select
        cid,
        id,
        uid,
        original_timestamp
    from {{ ref('int_event_keys') }}
    where uid is not null and cid is not null and {{ var('sequen_stitching') }}
),

int_devices_shared as (
    select
        cid,
        true as is_shared
    from {{ ref('int_devices_shared') }}
),

{# The answer depends on the device and the time alone, so each is asked once. #}
moments_asked as (
    select
        cid,
        first_anonymous_at as original_timestamp
    from int_sessions_identified
    where uid is null and cid is not null

    union distinct

    select
        cid,
        original_timestamp
    from events_without_session
),

{# A device of too many users names none of them. #}
devices_asked as (
    select distinct moments_asked.cid
    from moments_asked
    left join int_devices_shared on moments_asked.cid = int_devices_shared.cid
    where int_devices_shared.is_shared is null
),

{# Of several users at one time the last id is the latest before, the first the earliest after. #}
users_at_moments as (
    select
        events_with_user.cid,
        events_with_user.original_timestamp,
        max_by(events_with_user.uid, events_with_user.id) as last_uid,
        min_by(events_with_user.uid, events_with_user.id) as first_uid
    from events_with_user
    inner join devices_asked on events_with_user.cid = devices_asked.cid
    group by 1, 2
),

{# 0 before 1: a user seen at the very time asked for counts as before. #}
moments_united as (
    select
        cid,
        last_uid,
        first_uid,
        0 as place,
        original_timestamp
    from users_at_moments

    union all

    select
        cid,
        cast(null as varchar) as last_uid,
        cast(null as varchar) as first_uid,
        1 as place,
        original_timestamp
    from moments_asked
),

users_around as (
    select
        cid,
        place,
        original_timestamp,
        {{ last_known('last_uid') }} over (
            partition by cid
            order by original_timestamp, place
            rows between unbounded preceding and current row
        ) as uid_before,
        {{ first_known('first_uid') }} over (
            partition by cid
            order by original_timestamp, place
            rows between current row and unbounded following
        ) as uid_after
    from moments_united
),

devices_identified as (
    select
        cid,
        coalesce(uid_before, uid_after) as uid,
        original_timestamp
    from users_around
    where place = 1 and coalesce(uid_before, uid_after) is not null
)

select * from devices_identified
