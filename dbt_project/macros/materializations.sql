{#
  Tables, views and seeds as this project needs them. Those of dbt expect any database: they look for
  foreign keys, rename what is there out of the way and back, and commit twice, which takes longer than
  the SELECT of a small table.
#}

{#
  Whether what is there is as it is defined: in a build of sequen_dagster, a changed definition means a
  full refresh. Who calls dbt by hand may have changed one.
#}
{% macro is_kept_as_defined(existing) -%}
    {{ return(
        existing is not none and not flags.FULL_REFRESH and target.name != 'by_hand'
    ) }}
{%- endmacro %}

{# One statement in one transaction: a reader, or a crash, finds the table of before or of after. #}
{% materialization table, adapter='duckdb' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set table = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks) }}

    {% call statement('main') -%}
        {%- if existing is not none and not existing.is_table %}
            drop {{ existing.type }} {{ existing }};
        {%- endif %}
        {{ sequen.create_or_replace_table(table, sql, is_checked=not sequen.is_kept_as_defined(existing)) }}
    {%- endcall %}

    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [table]}) }}
{% endmaterialization %}

{# A contract gives the table its columns; whether the SELECT fits them takes a query of its own. #}
{% macro create_or_replace_table(table, sql, is_checked) -%}
    {%- if config.get('contract').enforced -%}
        {%- if is_checked -%}
            {{ get_assert_columns_equivalent(sql) }}
        {%- endif -%}
        create or replace table {{ table }}
        {{ get_table_columns_and_constraints() }};
        insert into {{ table }} {{ get_column_names() }} (
            {{ get_select_subquery(sql) }}
        )
    {%- else -%}
        create or replace table {{ table }} as (
            {{ sql }}
        )
    {%- endif -%}
{%- endmacro %}

{% materialization view, adapter='duckdb' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set view = this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks) }}

    {%- if sequen.is_kept_as_defined(existing) and existing.is_view -%}
        {% call noop_statement('main', 'KEPT') -%}
            {{ sql }}
        {%- endcall %}
    {%- else -%}
        {% call statement('main') -%}
            {%- if existing is not none %}
                drop {{ existing.type }} {{ existing }};
            {%- endif %}
            {{ create_view_as(view, sql) }}
        {%- endcall %}
    {%- endif -%}

    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [view]}) }}
{% endmaterialization %}

{# A changed file of a seed is a changed definition. #}
{% materialization seed, adapter='duckdb' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- if not sequen.is_kept_as_defined(existing) -%}
        {{ return(dbt.materialization_seed_default()) }}
    {%- endif -%}
    {%- do store_result('agate_table', response='OK') -%}
    {% call noop_statement('main', 'KEPT') %}{% endcall %}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}

{# History: rows are added, and those that are there stay, through full refreshes too. #}
{% materialization history, adapter='duckdb' %}
    {%- set existing = load_cached_relation(this) -%}
    {{ run_hooks(pre_hooks) }}

    {% call statement('main') -%}
        {%- if existing is none -%}
            {{ sequen.create_or_replace_table(this, sql, is_checked=true) }}
        {%- else -%}
            {%- if not sequen.is_kept_as_defined(existing) -%}
                {%- for column in model.columns.values() %}
                    alter table {{ this }} add column if not exists {{ column.name }} {{ column.data_type }};
                {%- endfor -%}
            {%- endif %}
            insert into {{ this }} {{ get_column_names() }} (
                {{ get_select_subquery(sql) }}
            )
        {%- endif -%}
    {%- endcall %}

    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [this]}) }}
{% endmaterialization %}
