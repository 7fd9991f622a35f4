with

int_completeness_scopes as (
    select * from {{ ref('int_completeness_scopes') }}
),

scopes_shown as (
    select
        attribute,
        scope,
        coalesce(type, '(all)') as type,
        coalesce(field, '') as field,
        coalesce(field_value, '') as value
    from int_completeness_scopes
)

select * from scopes_shown
