{#- Dagster shows the test as a check of this table, which stands on them. -#}
{{ config(meta={
    "dagster": {"ref": {"name": "fct_events"}},
    "description": "The keys of the steps that lead to the marts, and each record of a batch once.",
}) }}
{# The keys of the steps that lead to the marts, in one query: a test costs more than its SQL. #}
with

rules_counted as (
    {{ broken_keys_of({
        'int_duplicate_records': ['batch_id', 'source_line', 'source_item'],
        'int_event_keys': ['id'],
        'int_sessions_identified': ['sid', "coalesce(cid, '')"],
        'int_devices_shared': ['cid'],
        'int_devices_identified': ['cid', 'original_timestamp'],
        'int_events_stitched': ['id'],
        'int_events_sessionized': ['id'],
        'int_link_targets': ['kind', 'value'],
        'int_property_values': ['id'],
        'int_orders_repeated': ['id'],
        'int_clicks_matched': ['id'],
        'int_conversion_units': ['conversion_id', 'item_id'],
        'int_touches': ['conversion_id', 'item_id', 'touch_id'],
    }) }}
    union all
    select
        'a record of a batch is loaded once' as rule,
        count(*) as broken_by
    from (
        select
            batch_id,
            source_line,
            source_item
        from {{ ref('stg_events') }}
        where
            {% if not execute or tests_look_at_changes() %}
                batch_id in (
                    select affected_batches.batch_id
                    from {{ source('raw', 'affected_batches') }} as affected_batches
                )
            {% else %}
                true
            {% endif %}
        group by 1, 2, 3
        having count(*) > 1
    ) as records_loaded_twice
)

select
    rule,
    broken_by
from rules_counted
where broken_by > 0
