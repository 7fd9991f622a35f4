"""Reports: what is asked of the published snapshot, one query a section of the report.

Columns bear the names of `document.py`. `(all)` stands for all sources together, `(other)` for
types beyond the first of many and for what is not a currency's code, since a free text field
may hold anything. Every list is bounded, whatever is in the data.
"""

from typing import Final

from sequen_dagster.contract.codes import FILE_RULES
from sequen_dagster.fields import FIELDS, ID_FIELDS, LINK_FIELDS

_SHOWN_TYPES: Final = 50
_SHOWN_DAYS: Final = 92
_SHOWN_FIXES: Final = 50
_FILE_RULES: Final = ", ".join(f"'{rule}'" for rule in FILE_RULES)
_LINKS: Final = ", ".join(f"'{name}'" for name in LINK_FIELDS)
_MANDATORY_ALWAYS: Final = ", ".join(f"'{field.name}'" for field in FIELDS if field.mandatory)

# Sections with one row.
SINGLE: Final = {
    "record_counts": """
        select count(*) as files, coalesce(sum(records_read), 0)::bigint as records_read,
            coalesce(sum(accepted), 0)::bigint as accepted,
            coalesce(sum(quarantined), 0)::bigint as quarantined,
            coalesce(sum(skipped), 0)::bigint as skipped,
            coalesce(sum(blank_lines), 0)::bigint as blank_lines,
            coalesce(sum(duplicate_records), 0)::bigint as duplicate_records,
            coalesce(sum(conflicting_records), 0)::bigint as conflicting_records
        from rpt_batches where is_current
    """,
    "events": """
        select count(*) as events, min(original_timestamp) as first_at,
            max(original_timestamp) as last_at, count(distinct source) as sources
        from fct_events
    """,
    "sessions": """
        select count(*) as sessions, count(distinct visitor_key) as visitors,
            count(*) filter (where session_source = 'given') as given,
            count(*) filter (where session_source = 'derived') as derived,
            count(*) filter (where is_converted) as converted,
            count(*) filter (where duration_seconds > 86400) as over_a_day,
            median(duration_seconds)::double as median_seconds
        from fct_sessions
    """,
    "attribution": """
        select count(distinct conversion_id) as conversions,
            count(distinct (conversion_id, item_id)) as units,
            count(*) filter (where touch_id <> '') as touches
        from fct_attributions
    """,
    "orders": """
        select coalesce(sum(order_count), 0)::bigint as orders,
            coalesce(sum(conversion_count), 0)::bigint as conversions,
            coalesce(sum(repeat_count), 0)::bigint as repeats,
            coalesce(sum(repeat_by_another_visitor_count), 0)::bigint
                as repeats_by_another_visitor,
            coalesce(sum(differing_order_count), 0)::bigint as differing
        from rpt_orders where source = '(all)'
    """,
    "recommendations": """
        select (select count(*) from fct_impressions) as impressions,
            (select count(rec_id) from fct_impressions) as impressions_with_rec_id,
            count(*) as rec_ids,
            count(*) filter (where impression_count > 0) as viewed,
            count(*) filter (where clicked_impression_count > 0) as clicked,
            count(*) filter (where conversion_count > 0) as converted,
            count(request_to_view_seconds) as timed,
            quantile_disc(request_to_view_seconds, 0.5)::double as p50_request_to_view_seconds,
            quantile_disc(request_to_view_seconds, 0.95)::double as p95_request_to_view_seconds
        from fct_recommendations
    """,
    "inputs": """
        select coalesce(sha256(string_agg(batch_id, ',' order by batch_id)), '') as sha256,
            count(*) as files, coalesce(sum(file_bytes), 0)::bigint as bytes,
            min(received_at) as first_received_at, max(received_at) as last_received_at
        from rpt_batches where is_current
    """,
}

_RULES: Final = """
    select rule, records, worst_path, worst_records
    from rpt_rules where source = '(all)' and severity = '{severity}'
    order by records desc, rule
"""

_VALUES: Final = """
    with codes as (
        select value, regexp_full_match(coalesce(currency, ''), '([A-Za-z]{{3}})?') as is_code,
            if(is_code, coalesce(currency, ''), '(other)') as currency
        from fct_conversions where value is not null and {which}
    )
    select currency, count(*) as conversions,
        if(bool_and(is_code), sum(value)::varchar, null) as value
    from codes group by currency order by conversions desc, currency
"""

# Sections with many rows.
LISTS: Final = {
    "flow": """
        select step, unit, count, of from (
            select 1 as number, 'read' as step, 'records' as unit,
                coalesce(sum(records_read), 0)::bigint as count,
                coalesce(sum(records_read), 0)::bigint as of
            from rpt_batches where is_current
            union all
            select 2, 'accepted', 'records', coalesce(sum(accepted), 0)::bigint,
                coalesce(sum(records_read), 0)::bigint
            from rpt_batches where is_current
            union all
            select 3, 'deduplicated', 'events', (select count(*) from fct_events),
                coalesce(sum(accepted), 0)::bigint
            from rpt_batches where is_current
            union all
            select 4, 'sessionized', 'events', coalesce(sum(event_count), 0)::bigint,
                (select count(*) from fct_events)
            from fct_sessions
            union all
            select 5, 'linked', 'events that name another one',
                count(*) filter (
                    where 'resolved' in (page_view_link, module_view_link, impression_link)
                ),
                count(*) filter (
                    where page_view_link <> 'absent' or module_view_link <> 'absent'
                        or impression_link <> 'absent'
                )
            from fct_events
            union all
            select 6, 'matched', 'clicks',
                count(*) filter (where match_method <> 'none'), count(*)
            from fct_clicks
            union all
            select 7, 'attributed', 'converted items',
                count(*) filter (where basis <> 'none'), count(*)
            from (select distinct conversion_id, item_id, basis from fct_attributions) as units
        ) as steps order by number
    """,
    "conflicts": """
        select source, types[1:20] as types, accepted_records, conflicting_records, conflicting_ids,
            conflicting_share
        from rpt_conflicts where conflicting_records > 0
        order by conflicting_share desc, source limit 50
    """,
    "quarantined_by_rule": _RULES.format(severity="error"),
    "warnings": _RULES.format(severity="warning"),
    "events_by_type": f"""
        with types as (
            select type, count(*) as events,
                row_number() over (order by count(*) desc, type) <= {_SHOWN_TYPES} as is_shown
            from fct_events group by type
        )
        select if(is_shown, type, '(other)') as name, sum(events)::bigint as count
        from types group by is_shown, 1 order by is_shown desc, count desc, name
    """,
    "clicks_by_match_method": """
        select match_method as name, count(*) as count
        from fct_clicks group by 1 order by count desc, name
    """,
    "units_by_basis": """
        select basis as name, count(distinct (conversion_id, item_id)) as count
        from fct_attributions group by 1 order by count desc, name
    """,
    "value_by_currency": _VALUES.format(which="not is_repeat"),
    "repeated_value_by_currency": _VALUES.format(which="is_repeat"),
    "tiers": """
        select source, tier, is_reached, score, accepted_share, is_accepted_share_met,
            attribute_count, complete_attribute_count, blocking_attributes
        from rpt_completeness_tiers where period = 'recent'
        order by source, list_position(['good', 'better', 'best'], tier)
    """,
    "attributes": """
        select source, attribute, tier, kind, status, applicable_events, carrying_events,
            min_events, session_count, matching_session_count, coverage, threshold, is_waived
        from rpt_completeness_attributes where period = 'recent'
        order by source, list_position(['good', 'better', 'best'], tier), attribute
    """,
    "fixes": """
        select rpt_fixes.* exclude (period),
            rpt_completeness_attributes.why, rpt_completeness_attributes.fix,
            rpt_completeness_attributes.example
        from rpt_fixes
        inner join rpt_completeness_attributes using (source, period, attribute)
        where period = 'recent'
        order by rpt_fixes.source, rpt_fixes.fix_number
    """,
    "unread_files": f"""
        select rule, count(*) as files, sum(file_bytes)::bigint as bytes,
            list(rpt_batches.path order by file_bytes desc, rpt_batches.source, rpt_batches.path)
                [1:20] as paths
        from rpt_violations
        inner join rpt_batches using (batch_id)
        where rpt_batches.is_current and rule in ({_FILE_RULES})
        group by rule order by bytes desc, files desc, rule
    """,
    "quarantine_fixes": f"""
        select source, type, rules, fix_number, fixable_records, unread_files, accepted_share,
            accepted_share_after
        from rpt_quarantine_fixes where fix_number <= {_SHOWN_FIXES}
        union all
        select source, '(other)', ['(other)'], min(fix_number), sum(fixable_records)::bigint,
            sum(unread_files)::bigint, accepted_share, null
        from rpt_quarantine_fixes where fix_number > {_SHOWN_FIXES}
        group by source, accepted_share
        order by source, fix_number
    """,
    "readiness": """
        select source, use_case, requirement_number, metric, have_count, total_count, min_count,
            share, threshold, is_met, is_ready, is_first_missing, missing, reason
        from rpt_readiness where period = 'recent'
        order by source, list_position([
            'behavior_based_ranking', 'session_aware_personalization', 'dynamic_re_ranking',
            'attribution_and_funnels', 'model_training'
        ], use_case), use_case, requirement_number
    """,
    "fields": """
        with places as (
            select source, type,
                row_number() over (
                    partition by source order by max(event_count) desc, type
                ) as place
            from rpt_field_coverage group by source, type
        )
        select source, type, field, is_mandatory, event_count, coverage as present,
            1 - broken_records::double / nullif(records_read, 0) as valid,
            resolved_events::double / nullif(carrying_events, 0) as resolved
        from rpt_field_coverage
        inner join places using (source, type)
        where place <= 12
        order by source, place, field
    """,
    "breakdowns": f"""
        select source, breakdown, breakdown_value as value, null as type, attribute as name,
            applicable_events as event_count, carrying_events, coverage, first_seen_date,
            last_seen_date
        from rpt_completeness_breakdowns
        where source = '(all)'
        union all
        select source, breakdown, breakdown_value, type, field, event_count, carrying_events,
            coverage, first_seen_date, last_seen_date
        from rpt_field_breakdowns
        inner join (
            select type, field from rpt_field_coverage
            where source = '(all)'
                and (is_mandatory and field not in ({_MANDATORY_ALWAYS}) or field in ({_LINKS}))
            order by event_count desc, type, field limit 40
        ) as shown using (type, field)
        where source = '(all)'
        order by breakdown, type nulls first, name, value limit 2000
    """,
    "volumes": f"""
        with latest as (
            select max(day) - {_SHOWN_DAYS} as day from rpt_volumes
        ),
        types as (
            select type, row_number() over (order by sum(event_count) desc, type) as place
            from rpt_volumes where source = '(all)' group by type
        )
        select rpt_volumes.day, if(place <= 7, type, '(other)') as type,
            sum(event_count)::bigint as events
        from rpt_volumes
        inner join types using (type)
        inner join latest on rpt_volumes.day > latest.day
        where source = '(all)'
        group by 1, 2 order by 1, 2
    """,
    "files_by_day": f"""
        select received_at::date as day, count(*) as files
        from rpt_batches where is_current group by 1 order by 1 desc limit {_SHOWN_DAYS}
    """,
    "coverage_by_day": f"""
        select day, attribute, coverage,
            if(kind = 'event', matching_session_count, carrying_events) as carrying,
            if(kind = 'event', session_count, applicable_events) as applicable
        from rpt_completeness_daily
        where source = '(all)' and coverage is not null
            and day > (select max(day) - {_SHOWN_DAYS} from rpt_completeness_daily)
        order by attribute, day
    """,
    "links": "select * from rpt_links order by source, link, status",
    "ranks": """
        select rank, impression_count, clicked_impression_count, ctr
        from rpt_ranks where source = '(all)' order by rank limit 20
    """,
    "funnel": """
        select step, step_number, session_count, share_of_first, share_of_previous
        from rpt_funnel where source = '(all)' order by step_number
    """,
    "lateness": """
        select source, type, event_count, late_event_count, late_share, p50_lateness_seconds,
            p95_lateness_seconds, p99_lateness_seconds, max_lateness_seconds
        from rpt_late_events
        order by source <> '(all)', source, event_count desc, type limit 60
    """,
    "catalog": """
        select type, field, kinds, event_count, coverage, is_drifting, first_seen_date,
            last_seen_date, latest_kind_date
        from rpt_field_catalog where source = '(all)'
        order by is_drifting desc, event_count desc, type, field limit 200
    """,
    "volume_drops": """
        select source, scope, type, status, event_count, usual_event_count, compared_day,
            last_seen_date
        from rpt_volume_drops where status in ('silent', 'low')
        order by usual_event_count - event_count desc, source, scope, type limit 50
    """,
    "hints": """
        select hint, count(*) as files, sum(quarantined)::bigint as quarantined,
            min(path) as path
        from rpt_batches where is_current and hint is not null
        group by hint order by quarantined desc, hint limit 20
    """,
    "freshness": """
        select source, max(original_timestamp) as last_event_at,
            max(received_at) as last_received_at
        from fct_events group by source order by source
    """,
}

LATEST_FILES: Final = """
    select source, path, file_sha256 as sha256, records_read, quarantined, received_at
    from rpt_batches where is_current
    order by received_at desc, source, path limit 20
"""
# Comparing longer names is slow, and none is a misspelling: the contract passes them over, too.
NEAR_TYPES: Final = """
    select type, sum(event_count)::bigint
    from rpt_volumes
    where source = '(all)' and length(type) < 64
    group by type order by 2 desc, type limit 1000
"""
NEAR_FIELDS: Final = """
    select type, field, event_count
    from rpt_field_catalog where source = '(all)'
    order by event_count desc, type, field limit 5000
"""
NEAR_QUARANTINED: Final = """
    select type, rule, field, record_count
    from rpt_quarantined_fields where source = '(all)'
    order by record_count desc, type, rule, field limit 5000
"""
# Of the events of the recent period; a value of a field at most, as many as may be compared.
NEAR_VALUES: Final = """
    with days as (
        select min(from_date) as from_date, max(to_date) as to_date
        from rpt_completeness_attributes where source = '(all)' and period = 'recent'
    ),
    names as (
        unpivot (select page_type, click_type, conversion_type, original_timestamp from fct_events)
        on page_type, click_type, conversion_type into name field value name
    )
    select field, name, count(*) as events
    from names
    inner join days on original_timestamp::date between from_date and to_date
    where length(name) < 64
    group by field, name order by events desc, field, name limit 1000
"""
NEAR_MEDIA: Final = """
    with days as (
        select min(from_date) as from_date, max(to_date) as to_date
        from rpt_completeness_attributes where source = '(all)' and period = 'recent'
    ),
    found as (
        select json_extract_string(properties, $pointer) as name
        from fct_events
        inner join days on original_timestamp::date between from_date and to_date
        where list_contains($types, type)
    )
    select name, count(*) as events
    from found where length(name) < 64
    group by name order by events desc, name limit 1000
"""
# An id that was a whole number and became a double on its way here.
NEAR_IDS: Final = """
    select field, events from (
        unpivot (
            select {columns} from fct_events
        ) on * into name field value events
    ) where events > 0 order by field
""".format(
    columns=", ".join(
        f"count(*) filter (where suffix({field}, '.0')"
        f" and regexp_full_match({field}, '-?[0-9]+[.]0')) as {field}"
        for field in ID_FIELDS
        if field != "id"
    )
)
# The names that count for some attribute, by the field that holds them.
EXPECTED_NAMES: Final = """
    select if(detector = 'field', name, detector) as field, value
    from rpt_completeness_detectors where value is not null
    union
    select field, value from rpt_completeness_scopes where field <> ''
"""
DETECTED_PATHS: Final = """
    select distinct name from rpt_completeness_detectors where detector = 'field'
"""
STALE: Final = """
    select path from rpt_batches
    where is_current and contract_fingerprint <> ?
    order by source, path
"""
SAMPLES: Final = """
    select distinct coalesce(
        json_extract_string(properties, ?), json_extract_string(properties, ?)
    ) as value
    from fct_events where type = ? and value is not null
    order by md5(value) limit ?
"""
