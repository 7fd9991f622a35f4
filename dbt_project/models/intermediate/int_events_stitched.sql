{{ exact(
    key=['id'],
    affected_by=[{'rows_of': 'int_affected_stitches', 'columns': ['id']}],
    is_hashed=true,
) }}

with

int_event_keys as (
    select
        id,
        id_hash,
        uid,
        sid,
        cid,
        original_timestamp
    from {{ ref('int_event_keys') }}
    where {{ affected_records(ref('int_event_keys')) }}
),

int_sessions_identified as (
    select * from {{ ref('int_sessions_identified') }}
),

int_devices_identified as (
    select * from {{ ref('int_devices_identified') }}
),

int_devices_shared as (
    select
        cid,
        true as is_shared
    from {{ ref('int_devices_shared') }}
),

{# An event on a shared device goes by its session id, unless that is shared as well. #}
events_stitched as (
    select
        int_event_keys.id,
        int_event_keys.id_hash,
        int_event_keys.sid,
        coalesce(
            'uid:' || coalesce(
                int_event_keys.uid,
                int_sessions_identified.uid,
                int_devices_identified.uid
            ),
            case
                when int_devices_shared.is_shared and not int_sessions_identified.is_shared
                    then 'sid:' || int_event_keys.sid
            end,
            'cid:' || int_event_keys.cid,
            'sid:' || int_event_keys.sid
        ) as visitor_key,
        int_event_keys.original_timestamp
    from int_event_keys
    left join int_sessions_identified
        on
            case when int_event_keys.uid is null then int_event_keys.sid end
            = int_sessions_identified.sid
            and int_event_keys.cid is not distinct from int_sessions_identified.cid
    left join int_devices_identified
        on
            case when int_event_keys.uid is null then int_event_keys.cid end
            = int_devices_identified.cid
            and coalesce(
                int_sessions_identified.first_anonymous_at,
                int_event_keys.original_timestamp
            ) = int_devices_identified.original_timestamp
    left join int_devices_shared on int_event_keys.cid = int_devices_shared.cid
)

select * from events_stitched
