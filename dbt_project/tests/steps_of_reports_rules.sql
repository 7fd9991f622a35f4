{#- Dagster shows the test as a check of this table, which stands on them. -#}
{{ config(meta={
    "dagster": {"ref": {"name": "rpt_field_coverage"}},
    "description": "The keys of the steps that lead to the reports.",
}) }}
{# The keys of the steps that lead to the reports, in one query: a test costs more than its SQL. #}
with

rules_counted as (
    {{ broken_keys_of({
        'stg_batches': ['batch_id'],
        'stg_quarantined_events': ['batch_id', 'source_line', 'source_item'],
        'int_batch_quarantined_keys': ['batch_id', 'type', 'rule', 'field'],
        'int_batch_rule_lists': ['batch_id', 'type', 'rule_list'],
        'int_batch_types': ['batch_id', 'type'],
        'int_breakdown_groups': ['source', 'group_key', 'breakdown', 'breakdown_value'],
        'int_completeness_days': ['source', 'attribute', 'day'],
        'int_completeness_groups': ['group_key', 'attribute'],
        'int_completeness_matches': ['id', 'attribute'],
        'int_completeness_shapes': ['attribute', 'property_shape'],
        'int_conversion_days': ['source', 'day'],
        'int_event_groups': ['source', 'group_key', 'event_date'],
        'int_funnel_days': ['source', 'day'],
        'int_lateness_days': ['source', 'type', 'lateness_seconds', 'day'],
        'int_link_days': ['source', 'link', 'status', 'day'],
        'int_property_paths': ['property_shape', 'field', 'base_kind'],
        'int_rank_days': ['source', 'rank', 'day'],
        'int_reported_sources': ['source'],
        'int_session_sources': ['session_key', 'source'],
        'int_page_views_marked': ['id'],
        'int_unreadable_values': ['id'],
    }) }}
)

select
    rule,
    broken_by
from rules_counted
where broken_by > 0
