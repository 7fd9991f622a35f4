{#- Dagster shows the test as a check of this one of its tables. -#}
{{ config(meta={"dagster": {"ref": {"name": "int_completeness_scopes"}}}) }}
{# A scope that no rule reads would apply to nothing, or to more than was meant. #}
with

int_completeness_attributes as (
    select * from {{ ref('int_completeness_attributes') }}
),

int_completeness_scopes as (
    select * from {{ ref('int_completeness_scopes') }}
),

scopes_checked as (
    select
        int_completeness_scopes.attribute,
        int_completeness_scopes.scope,
        (
            int_completeness_scopes.field is null
            and int_completeness_scopes.field_value is null
            or int_completeness_scopes.field in ('page_type', 'click_type', 'conversion_type')
            and int_completeness_scopes.field_value is not null
        )
        and (int_completeness_scopes.type is null or int_completeness_scopes.type <> '')
        and (
            int_completeness_scopes.scope <> 'session_first_page_view'
            or int_completeness_attributes.kind = 'field'
        ) as is_legal
    from int_completeness_scopes
    inner join int_completeness_attributes
        on int_completeness_scopes.attribute = int_completeness_attributes.attribute
)

select * from scopes_checked
where not is_legal
