{{ exact(
    key=['cid'],
    affected_by=[
        {'changes_of': 'int_event_keys', 'columns': ['case when uid is not null then cid end']},
    ],
) }}

with

events_with_user as (
    select
        cid,
        uid
    from {{ ref('int_event_keys') }}
    where
        uid is not null
        and cid is not null
        and {{ var('sequen_stitching') }}
        and {{ affected(['cid']) }}
),

devices_shared as (
    select cid
    from events_with_user
    group by 1
    having count(distinct uid) > {{ var('sequen_max_users_per_device') }}
)

select * from devices_shared
