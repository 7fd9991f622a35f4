{{ exact(
    key=['batch_id', 'type', 'rule', 'field'],
    scope=['batch_id'],
    affected_by=[{'rows_of': 'stg_affected_batches', 'columns': ['batch_id']}],
) }}

{%- set id_keys = [
    ('uid', 'uid'), ('sid', 'sid'), ('sid', 'session_id'), ('cid', 'cid'), ('cid', 'client_id'),
    ('id', 'id'), ('rec_id', 'rec_id'), ('page_view_id', 'page_view_id'),
    ('module_view_id', 'module_view_id'), ('impression_id', 'impression_id'),
    ('item_id', 'item_id'),
] %}

with

stg_batches as (
    select * from {{ ref('stg_batches') }}
),

stg_quarantined_events as (
    select * from {{ ref('stg_quarantined_events') }}
    where {{ affected(['batch_id']) }}
),

rules_exploded as (
    select
        stg_quarantined_events.batch_id,
        coalesce(stg_quarantined_events.type, '(none)') as type,
        stg_quarantined_events.raw,
        broken_rules.rule
    from stg_quarantined_events
    {{ cross_join_unnest('stg_quarantined_events.rules', 'broken_rules', 'rule') }}
),

{# What a record has instead of what it misses. A key may hold anything; only names are kept. #}
keys_exploded as (
    select
        rules_exploded.batch_id,
        rules_exploded.type,
        rules_exploded.rule,
        rules_exploded.raw,
        record_keys.field
    from rules_exploded
    {{ cross_join_unnest(
        json_keys_if_readable('rules_exploded.raw'), 'record_keys', 'field'
    ) }}
    where
        split_part(rules_exploded.rule, '_', 1) = 'missing'
        and {{ matches('record_keys.field', '[A-Za-z_][A-Za-z_.-]{0,39}') }}
),

objects_within as (
    select
        batch_id,
        type,
        rule,
        field,
        {{ json_text_along('raw', split_text('field', '|')) }} as inner_text
    from keys_exploded
),

{# An object or the JSON text of one; of an array the first element. #}
objects_opened as (
    select
        batch_id,
        type,
        rule,
        field,
        inner_text
    from objects_within

    union all

    select
        batch_id,
        type,
        rule,
        field || '[]' as field,
        {{ json_text_along('inner_text', split_text("'0'", '|')) }} as inner_text
    from objects_within
),

inner_keys_exploded as (
    select
        objects_opened.batch_id,
        objects_opened.type,
        objects_opened.rule,
        objects_opened.field || '/' || inner_keys.inner_field as field
    from objects_opened
    {{ cross_join_unnest(
        json_keys_if_readable('objects_opened.inner_text'), 'inner_keys', 'inner_field'
    ) }}
    where {{ matches('inner_keys.inner_field', '[A-Za-z_][A-Za-z_.-]{0,39}') }}
),

{# A whole number that became a double on its way: 1001.0 is not an id. The text may be broken. #}
doubles_for_ids as (
    {%- for field, key in id_keys %}
        select
            batch_id,
            type,
            rule,
            '{{ field }}' as field
        from rules_exploded
        where
            rule = 'invalid_{{ field }}'
            and {{ matches(
                json_text_along('raw', split_text("'" ~ key ~ "'", '|')), '-?[0-9]+[.]0+'
            ) }}
        {%- if not loop.last %}

            union all
        {% endif %}
    {%- endfor %}
),

names_found as (
    select
        batch_id,
        type,
        rule,
        field
    from keys_exploded

    union all

    select
        batch_id,
        type,
        rule,
        field
    from inner_keys_exploded

    union all

    select
        batch_id,
        type,
        rule,
        field
    from doubles_for_ids
),

keys_counted as (
    select
        names_found.batch_id,
        stg_batches.source,
        names_found.type,
        names_found.rule,
        names_found.field,
        count(*) as record_count
    from names_found
    inner join stg_batches on names_found.batch_id = stg_batches.batch_id
    group by 1, 2, 3, 4, 5
)

select * from keys_counted
