with

int_completeness_attributes as (
    select * from {{ ref('int_completeness_attributes') }}
),

clauses_split as (
    select
        int_completeness_attributes.attribute,
        trim(clauses.clause) as clause
    from int_completeness_attributes
    {{ cross_join_unnest(
        split_text('int_completeness_attributes.applies_to', ';'), 'clauses', 'clause'
    ) }}
),

clauses_parsed as (
    select distinct
        attribute,
        clause,
        trim(split_part(clause, '[', 1)) as head,
        nullif(trim(split_part({{ text_after('clause', '[') }}, '=', 1)), '') as field,
        replace({{ text_after('clause', '=') }}, ']', '') as clause_values
    from clauses_split
),

values_split as (
    select
        clauses_parsed.attribute,
        clauses_parsed.clause,
        clauses_parsed.head,
        clauses_parsed.field,
        nullif(trim(clause_values.clause_value), '') as clause_value
    from clauses_parsed
    {{ cross_join_unnest(
        split_text('clauses_parsed.clause_values', '|'), 'clause_values', 'clause_value'
    ) }}
),

scopes_named as (
    select distinct
        attribute,
        clause,
        case
            when head = '*' then 'every_event'
            when head = 'session_first_page_view' then 'session_first_page_view'
            else 'type'
        end as scope,
        case
            when head = '*' then null
            when head = 'session_first_page_view' then 'page_view'
            else head
        end as type,
        field,
        clause_value as field_value
    from values_split
),

scopes_compared as (
    select
        attribute,
        clause,
        scope,
        type,
        field,
        field_value,
        {{ compared_name('type', 'type') }} as compared_type,
        {{ bare_name('field_value') }} as compared_value
    from scopes_named
)

select * from scopes_compared
