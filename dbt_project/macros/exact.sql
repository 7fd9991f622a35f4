{#
  The materialization `exact`: incremental view maintenance with a change log. docs/exactness.md says
  why its tables always equal a full refresh.

  A model names the key of its rows, and by `affected_by` where an incremental build finds the affected
  keys. The build reruns the model's own SELECT for these keys, compares the result with the rows that
  the table holds under them (before image, after image), writes what differs, and appends both images
  to the change log: the table of the same name in schema `changes`. There the next models find the
  keys that are affected in turn. The log is emptied when a build has run through (marts/builds.py), so
  a build that broke off leaves nothing forgotten.
#}

{#
  Makes the model exact. An entry of `affected_by` has two fields: `columns`, a list with an expression
  for each column of the scope, and where they are read: `changes_of`, an exact model, of which both
  images in the change log count; or `rows_of`, any other model, of which every row counts; an ephemeral
  one is a part of the query for the keys.
#}
{% macro exact(key, affected_by, scope=none, unlogged=(), is_hashed=false) -%}
    {#- A unit test gives the inputs of the SELECT, not what affects it. -#}
    {%- if not execute or model.resource_type != 'unit_test' -%}
        {%- for entry in affected_by -%}
            {%- do sequen.check_affected_by(entry, scope or key) -%}
            {%- do ref(entry.changes_of or entry.rows_of) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ config(
        materialized='exact',
        exact={
            'key': key,
            'scope': scope or key,
            'affected_by': affected_by,
            'unlogged': unlogged,
            'is_hashed': is_hashed,
        },
    ) }}
{%- endmacro %}

{% macro check_affected_by(entry, scope) -%}
    {%- set fields = (entry | sort) if entry is mapping else [] -%}
    {%- set is_whole = fields in (['changes_of', 'columns'], ['columns', 'rows_of']) -%}
    {%- if not is_whole or entry['columns'] is string
        or (entry['columns'] | length) != (scope | length) -%}
        {{ exceptions.raise_compiler_error(
            'affected_by of ' ~ model.name ~ ' holds ' ~ entry ~ '. An entry has the fields '
            ~ "`changes_of` (an exact model) or `rows_of` (any other), and `columns`, a list with an "
            ~ 'expression for each of: ' ~ (scope | join(', ')) ~ '.'
        ) }}
    {%- endif -%}
{%- endmacro %}

{# True for the rows that this build recomputes: all of them in a full one. One column a scope column. #}
{% macro affected(columns) -%}
    {%- if sequen.is_full_build() -%}
        true
    {%- else -%}
        ({{ columns | join(', ') }}) in (
            select {{ sequen.scope_columns() }} from {{ sequen.scratch(model.name, 'affected') }}
        )
    {%- endif -%}
{%- endmacro %}

{# While parsing, the scope is not known yet. #}
{% macro scope_columns() -%}
    {{ (config.get('exact') or {'scope': ['*']}).scope | join(', ') }}
{%- endmacro %}

{#
  The same by id, where the input stores `id_hash`: a number is found many times faster than a text, and
  spares the engine from reading the rows beside it. `table`: the input, where it is a table.
#}
{% macro affected_records(table=none) -%}
    {%- if not sequen.is_full_build() -%}
        {%- set keys = sequen.scratch(model.name, 'affected') -%}
        {%- if table is none -%}
            id_hash in (select id_hash from {{ keys }})
        {%- else -%}
            {{ sequen.is_in_rows_with(table, 'id_hash', keys) }}
        {%- endif %} and {% endif -%}
    {{ sequen.affected(['id']) }}
{%- endmacro %}

{#
  Whether the model is built from nothing: it was asked for, or there is nothing to build on, as in a
  unit test, which gives all rows. While parsing it is not, so that dbt gets to know all that a model
  may read.
#}
{% macro is_full_build() -%}
    {%- if not execute or flags.FULL_REFRESH or model.resource_type == 'unit_test' -%}
        {{ return(execute) }}
    {%- endif -%}
    {%- set existing = load_relation(this) -%}
    {{ return(existing is none or not existing.is_table) }}
{%- endmacro %}

{# The change log of an exact model: before images (is_new false) and after images (true). #}
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
    {%- if execute and load_cached_relation(this) is not none -%}
        delete from {{ this }}
        where publication in (
            select build_number from {{ source('raw', 'builds') }} where not is_finished
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
