{#
  Tables that follow their batches and always equal a full refresh: docs/exactness.md says why.

  A model names its key and what touches it. An incremental build recomputes the touched rows by the
  very SELECT of a full one, compares them with those that stand there, and writes only the rows that
  differ. What differed goes into a table of the same name in schema `changes`, before and after,
  where the next models look up what they have to recompute. The changes stay until a build has run
  through (sequen_dagster empties them), so an interrupted build leaves nothing forgotten.
#}

{#
  Makes the model exact. `key`: columns that identify a row. `scope`: columns that rows are recomputed
  by, the key where left out. `touched_by`: texts '<model>.<expressions>', one expression a scope
  column: of an exact model the changes are meant, of any other its rows. `unlogged`: columns too wide
  for the changes, which no later model looks at. `is_hashed`: the table stores `id_hash`, by which its
  rows are found.
#}
{% macro exact(key, touched_by, scope=none, unlogged=(), is_hashed=false) -%}
    {#- While parsing only: a unit test gives the inputs of the SELECT, not what touches it. -#}
    {%- if not execute -%}
        {%- for entry in touched_by %}{% do ref(entry.split('.')[0]) %}{% endfor -%}
    {%- endif -%}
    {{ config(
        materialized='exact',
        exact={
            'key': key,
            'scope': scope or key,
            'touched_by': touched_by,
            'unlogged': unlogged,
            'is_hashed': is_hashed,
        },
    ) }}
{%- endmacro %}

{# True for the rows that this build recomputes: all of them in a full one. One column a scope column. #}
{% macro touched(columns) -%}
    {%- if sequen.is_full_build() -%}
        true
    {%- else -%}
        ({{ columns | join(', ') }}) in (
            select {{ sequen.scope_columns() }} from {{ sequen.scratch(model.name, 'touched') }}
        )
    {%- endif -%}
{%- endmacro %}

{# While parsing, the scope is not known yet. #}
{% macro scope_columns() -%}
    {{ (config.get('exact') or {'scope': ['*']}).scope | join(', ') }}
{%- endmacro %}

{#
  The same by id, where the input stores `id_hash`: a number is found many times faster than a text, and
  spares the engine from reading the rows beside it.
#}
{% macro touched_records() -%}
    {%- if not sequen.is_full_build() -%}
        id_hash in (select id_hash from {{ sequen.scratch(model.name, 'touched') }}) and {% endif -%}
    {{ sequen.touched(['id']) }}
{%- endmacro %}

{#
  Whether the model is built from nothing: it was asked for, or there is nothing to build on. While
  parsing it is not, so that dbt gets to know all that a model may read.
#}
{% macro is_full_build() -%}
    {%- if not execute or flags.FULL_REFRESH -%}
        {{ return(execute) }}
    {%- endif -%}
    {%- set existing = load_relation(this) -%}
    {{ return(existing is none or not existing.is_table) }}
{%- endmacro %}

{# The rows of an exact model before (is_new false) and after (true) this build, where they differ. #}
{% macro changes(name) -%}
    {%- do ref(name) -%}
    {{ sequen.changes_relation(name) }}
{%- endmacro %}

{#
  The changes of some columns alone: what went and came alike in them within one build cancels out,
  however much else of the rows has changed. Not across builds: if one broke off, the next models may
  have seen the state in between.
#}
{% macro changes_of(name, columns) -%}
    {%- do ref(name) -%}
    (
        select {{ columns | join(', ') }}
        from {{ sequen.changes_relation(name) }}
        group by {{ columns | join(', ') }}, build
        having sum(case when is_new then 1 else -1 end) <> 0
    )
{%- endmacro %}

{# What is gone (is_new false) or has come (true), in some columns, since a build ran through. #}
{% macro changes_since(name, columns, is_new) -%}
    {%- do ref(name) -%}
    (
        select {{ columns | join(', ') }}
        from {{ sequen.changes_relation(name) }}
        group by {{ columns | join(', ') }}
        having sum(case when is_new then 1 else -1 end) {{ '>' if is_new else '<' }} 0
    )
{%- endmacro %}

{# For rpt_restatements: away with the rows of builds that did not run through. #}
{% macro forget_unfinished_builds() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where publication in (
            select build_number from {{ source('lake', 'builds') }} where not is_finished
        )
    {%- endif -%}
{%- endmacro %}

{% macro changes_relation(name) -%}
    {{ return(api.Relation.create(
        database=target.database, schema='changes', identifier=name, type='table'
    )) }}
{%- endmacro %}

{% macro scratch(name, part) -%}
    {{ return(name ~ '__' ~ part) }}
{%- endmacro %}

{# Where a `touched_by` text looks. #}
{% macro rows_that_touch(name) -%}
    {%- for node in graph.nodes.values()
        if node.resource_type == 'model' and node.name == name -%}
        {%- if node.config.materialized == 'exact' -%}
            {{ return(sequen.changes_relation(name)) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(ref(name)) }}
{%- endmacro %}

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
        {% call statement('touched') -%}
            {{ sequen.create_touched(settings) }}
        {%- endcall %}
        {% call statement('main') -%}
            {{ sequen.write_differences(this, changes, settings, sql) }}
        {%- endcall %}
    {%- endif -%}

    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [this]}) }}
{% endmaterialization %}

{% macro create_touched(settings) -%}
    create or replace temp table {{ sequen.scratch(model.name, 'touched') }} as
    select distinct
        *
        {%- if settings.scope in (['id'], ['conversion_id']) %},
            {{ sequen.text_hash(settings.scope[0]) }} as id_hash
        {%- endif %}
    from (
        {%- for entry in settings.touched_by %}
            {%- set name = entry.split('.')[0] %}
            select {{ sequen.touching_columns(entry[(name | length) + 1:], settings.scope) }}
            from {{ sequen.rows_that_touch(name) }}
            {{ 'union all' if not loop.last }}
        {%- endfor %}
    ) as touching_rows
    where
        {%- for column in settings.scope %}
            {{ column }} is not null {{ 'and' if not loop.last }}
        {%- endfor %}
{%- endmacro %}

{# 'a; b' as the scope columns. #}
{% macro touching_columns(expressions, scope) -%}
    {%- for expression in expressions.split(';') -%}
        {{ expression | trim }} as {{ scope[loop.index0] }}{{ ', ' if not loop.last }}
    {%- endfor -%}
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
    where {{ sequen.touched_records() if settings.is_hashed else sequen.touched(settings.scope) }}
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

{#
  Tests follow the batch as well: in an incremental `dbt build` they look at the rows whose scope holds
  a change. A full refresh and `dbt test` look at whole tables.
#}
{% macro tests_look_at_changes() -%}
    {{ return(execute and flags.WHICH == 'build' and not flags.FULL_REFRESH) }}
{%- endmacro %}

{#
  True for the rows that a singular test looks at: those whose `columns` a changed row of `name` has,
  there called `by` where the names differ.
#}
{% macro changed(name, columns, by=none) -%}
    {%- do ref(name) -%}
    {%- if sequen.tests_look_at_changes() -%}
        ({{ columns | join(', ') }}) in (
            select {{ (by or columns) | join(', ') }} from {{ sequen.changes_relation(name) }}
        )
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{# dbt's own hook for what a generic test reads. #}
{% macro get_where_subquery(relation) -%}
    {%- if sequen.tests_look_at_changes() -%}
        {%- for node in graph.nodes.values()
            if node.resource_type == 'model' and node.name == relation.identifier
            and node.config.materialized == 'exact' -%}
            {%- set scope = node.config.exact.scope | join(', ') -%}
            {{ return(
                '(select * from ' ~ relation ~ ' where (' ~ scope ~ ') in (select ' ~ scope
                ~ ' from ' ~ sequen.changes_relation(node.name) ~ ')) as changed_rows'
            ) }}
        {%- endfor -%}
    {%- endif -%}
    {{ return(dbt.default__get_where_subquery(relation)) }}
{%- endmacro %}
