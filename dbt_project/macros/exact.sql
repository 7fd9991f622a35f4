{#
  Tables that follow their batches and always equal a full refresh: docs/exactness.md says why.

  A model names its key and what affects it. An incremental build recomputes the affected rows by the
  very SELECT of a full one, compares them with those that stand there, and writes only the rows that
  differ. What differed goes into a table of the same name in schema `changes`, before and after,
  where the next models look up what they have to recompute. The changes stay until a build has run
  through (sequen_dagster empties them), so an interrupted build leaves nothing forgotten.
#}

{#
  Makes the model exact. `key`: columns that identify a row. `scope`: columns that rows are recomputed
  by, the key where left out. `affected_by`: texts '<model>.<expressions>', one expression a scope
  column: of an exact model the changes are meant, of any other its rows. `unlogged`: columns too wide
  for the changes, which no later model looks at. `is_hashed`: the table stores `id_hash`, by which its
  rows are found.
#}
{% macro exact(key, affected_by, scope=none, unlogged=(), is_hashed=false) -%}
    {#- While parsing only: a unit test gives the inputs of the SELECT, not what affects it. -#}
    {%- if not execute -%}
        {%- for entry in affected_by %}{% do ref(entry.split('.')[0]) %}{% endfor -%}
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
  spares the engine from reading the rows beside it.
#}
{% macro affected_records() -%}
    {%- if not sequen.is_full_build() -%}
        id_hash in (select id_hash from {{ sequen.scratch(model.name, 'affected') }}) and {% endif -%}
    {{ sequen.affected(['id']) }}
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
