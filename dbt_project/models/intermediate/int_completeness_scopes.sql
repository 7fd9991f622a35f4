with

int_completeness_attributes as (
    select * from {{ ref('int_completeness_attributes') }}
),

completeness_scopes as (
    select * from {{ ref('completeness_scopes') }}
),

stg_completeness_override_scopes as (
    select * from {{ ref('stg_completeness_override_scopes') }}
),

attributes_replaced as (
    select distinct attribute
    from stg_completeness_override_scopes
),

scopes_given as (
    select
        attribute,
        scope,
        type,
        field,
        value
    from completeness_scopes
    where attribute not in (select attributes_replaced.attribute from attributes_replaced)

    union distinct

    select
        attribute,
        scope,
        type,
        field,
        value
    from stg_completeness_override_scopes
),

{# An attribute of a user's own, of which nothing is said, applies to every event. #}
scopes_completed as (
    select
        int_completeness_attributes.attribute,
        coalesce(scopes_given.scope, 'every_event') as scope,
        scopes_given.type,
        scopes_given.field,
        scopes_given.value
    from int_completeness_attributes
    left join scopes_given on int_completeness_attributes.attribute = scopes_given.attribute
),

scopes_compared as (
    select
        attribute,
        scope,
        type,
        field,
        value as field_value,
        {{ compared_name('type', 'type') }} as compared_type,
        {{ bare_name('value') }} as compared_value
    from scopes_completed
)

select * from scopes_compared
