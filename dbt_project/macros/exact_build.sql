{# How an exact model is built: see exact.sql for the rule. What is the engine's own stands here. #}

{% materialization exact, adapter='duckdb' %}
    {%- set settings = config.get('exact') -%}
    {%- set changes = sequen.changes_relation(model.name) -%}
    {{ run_hooks(pre_hooks) }}

    {%- if sequen.is_full_build() -%}
        {%- set existing = load_relation(this) -%}
        {% call statement('main') -%}
            {%- if existing is not none %}
                drop {{ existing.type }} if exists {{ existing }};
            {%- endif %}
            {{ create_table_as(False, this, sql) }}
        {%- endcall %}
        {% call statement('changes') -%}
            create or replace table {{ changes }} as
            select
                {{ sequen.logged_columns(settings.unlogged) }},
                true as is_new,
                '{{ invocation_id }}' as build
            from {{ this }}
            where false
        {%- endcall %}
    {%- else -%}
        {% call statement('affected') -%}
            {{ sequen.create_affected(settings) }}
        {%- endcall %}
        {% call statement('main') -%}
            {{ sequen.write_differences(this, changes, settings, sql) }}
        {%- endcall %}
    {%- endif -%}

    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [this]}) }}
{% endmaterialization %}

{% macro create_affected(settings) -%}
    create or replace temp table {{ sequen.scratch(model.name, 'affected') }} as
    {%- for part in model.extra_ctes %}
        {{ ('with' if loop.first else ',') ~ part.sql }}
    {%- endfor %}
    select distinct
        *
        {%- if settings.scope in (['id'], ['conversion_id']) %},
            {{ sequen.text_hash(settings.scope[0]) }} as id_hash
        {%- endif %}
    from (
        {%- for entry in settings.affected_by %}
            select
                {%- for column in entry['columns'] %}
                    {{ column }} as {{ settings.scope[loop.index0] }}{{ ',' if not loop.last }}
                {%- endfor %}
            from {{ sequen.affecting_rows(entry) }}
            {{ 'union all' if not loop.last }}
        {%- endfor %}
    ) as affecting_rows
    where
        {%- for column in settings.scope %}
            {{ column }} is not null {{ 'and' if not loop.last }}
        {%- endfor %}
{%- endmacro %}

{% macro logged_columns(unlogged) -%}
    {# DuckDB's spelling; an engine without it lists the columns of the model. #}
    * {% if unlogged %}exclude ({{ unlogged | join(', ') }}){% endif %}
{%- endmacro %}

{#
  One difference decides what goes and what comes. Were the two decided apart, a row delivered again
  unchanged would be deleted as replaced and not inserted as the same.
#}
{% macro write_differences(relation, changes, settings, sql) -%}
    {%- set new_rows = sequen.scratch(model.name, 'new') -%}
    {%- set old_rows = sequen.scratch(model.name, 'old') -%}
    {%- set gone = sequen.scratch(model.name, 'gone') -%}
    {%- set come = sequen.scratch(model.name, 'come') -%}
    {%- set logged = sequen.logged_columns(settings.unlogged) -%}
    create or replace temp table {{ new_rows }} as
    {{ sql }}
    ;
    create or replace temp table {{ old_rows }} as
    select * from {{ relation }}
    where {{ sequen.affected_records(relation) if settings.is_hashed else sequen.affected(settings.scope) }}
    ;
    create or replace temp table {{ gone }} as
    select * from {{ old_rows }} except select * from {{ new_rows }}
    ;
    create or replace temp table {{ come }} as
    select * from {{ new_rows }} except select * from {{ old_rows }}
    ;
    insert into {{ changes }}
    select {{ logged }}, false as is_new, '{{ invocation_id }}' as build from {{ gone }}
    union all
    select {{ logged }}, true as is_new, '{{ invocation_id }}' as build from {{ come }}
    ;
    delete from {{ relation }} using {{ gone }}
    where
        {%- for column in settings.key %}
            {{ relation.identifier }}.{{ column }} is not distinct from {{ gone }}.{{ column }}
            {{ 'and' if not loop.last }}
        {%- endfor %}
        {%- if settings.is_hashed %}
            and {{ relation.identifier }}.id_hash = {{ gone }}.id_hash
        {%- endif %}
    ;
    insert into {{ relation }} select * from {{ come }}
    ;
    drop table {{ new_rows }};
    drop table {{ old_rows }};
    drop table {{ gone }};
    drop table {{ come }}
{%- endmacro %}

{# Where an entry of `affected_by` looks. #}
{% macro affecting_rows(entry) -%}
    {%- set name = entry.changes_of or entry.rows_of -%}
    {%- set is_exact = sequen.exact_models() | selectattr('name', 'equalto', name) | list -%}
    {%- if entry.changes_of and not is_exact or entry.rows_of and is_exact -%}
        {{ exceptions.raise_compiler_error(
            'affected_by of ' ~ model.name ~ ' holds ' ~ entry ~ '. `changes_of` is for models that '
            ~ 'are exact, `rows_of` for those that are not.'
        ) }}
    {%- endif -%}
    {{ return(sequen.changes_relation(name) if entry.changes_of else ref(name)) }}
{%- endmacro %}

{% macro exact_models() -%}
    {{ return(
        graph.nodes.values()
        | selectattr('resource_type', 'equalto', 'model')
        | selectattr('config.materialized', 'equalto', 'exact')
        | list
    ) }}
{%- endmacro %}

{# A project that has this one as a package, and builds none of its models, gets no schema of it. #}
{% macro create_changes_schema() -%}
    {%- for resource in selected_resources if resource.startswith('model.sequen.') -%}
        {%- if loop.first -%}
            create schema if not exists changes
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{#
  dbt that a person calls may build with other vars than those of the home's settings. Without the
  fingerprint of the last build, the next run of sequen_dagster refreshes all tables in full.
#}
{% macro note_build_by_hand() -%}
    {%- if execute and target.name == 'by_hand'
        and flags.WHICH in ('build', 'retry', 'run', 'seed') -%}
        update {{ source('raw', 'builds') }} set fingerprint = ''
    {%- endif -%}
{%- endmacro %}
