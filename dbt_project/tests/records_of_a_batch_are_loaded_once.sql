{#- Dagster shows the test as a check of this one of its tables. -#}
{{ config(meta={"dagster": {"ref": {"name": "stg_events"}}}) }}
with

stg_events as (
    select
        batch_id,
        source_line,
        source_item
    from {{ ref('stg_events') }}
    where
        {% if not execute or tests_look_at_changes() %}
            batch_id in (
                select stg_affected_batches.batch_id
                from {{ ref('stg_affected_batches') }} as stg_affected_batches
            )
        {% else %}
            true
        {% endif %}
),

records_loaded_twice as (
    select
        batch_id,
        source_line,
        source_item,
        count(*) as row_count
    from stg_events
    group by 1, 2, 3
    having count(*) > 1
)

select * from records_loaded_twice
