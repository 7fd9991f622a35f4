{{ config(materialized='ephemeral') }}
with

int_completeness_attributes as (
    select
        *,
        {%- for field in ['type', 'page_type', 'click_type', 'conversion_type'] %}
            {{ compared_name(field, json_text('example', [field])) }} as example_{{ field }}
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ ref('int_completeness_attributes') }}
),

int_completeness_scopes as (
    select * from {{ ref('int_completeness_scopes') }}
),

{# A page_view is the first of its session only where no session has one. #}
examples_matched as (
    select
        int_completeness_attributes.attribute as fixed_attribute,
        int_completeness_scopes.attribute,
        int_completeness_scopes.scope = 'session_first_page_view' as is_if_none_applies
    from int_completeness_attributes
    inner join int_completeness_scopes
        on
            (
                int_completeness_scopes.type is null
                or int_completeness_attributes.example_type
                = int_completeness_scopes.compared_type
            )
            and (
                int_completeness_scopes.field is null
                {%- for field in ['page_type', 'click_type', 'conversion_type'] %}
                    or (
                        int_completeness_scopes.field = '{{ field }}'
                        and int_completeness_attributes.example_{{ field }}
                        = int_completeness_scopes.compared_value
                    )
                {%- endfor %}
            )

    union all

    select
        attribute as fixed_attribute,
        attribute,
        false as is_if_none_applies
    from int_completeness_attributes
),

examples_in_scope as (
    select
        fixed_attribute,
        attribute,
        min(case when is_if_none_applies then 1 else 0 end) = 1 as is_if_none_applies
    from examples_matched
    group by 1, 2
)

select * from examples_in_scope
