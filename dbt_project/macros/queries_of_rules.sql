{#
  Queries of rules that need more than the columns of one table: each returns the rows that break its
  rule. A test `rules` names them. dbt looks for the refs of a test in the macros that it names
  literally, so every query has its line here.
#}
{% macro query_of_rule(name) -%}
    {%- if name == 'events_without_session' -%}
        {{ return(sequen.events_without_session()) }}
    {%- elif name == 'session_counts_that_differ' -%}
        {{ return(sequen.session_counts_that_differ()) }}
    {%- elif name == 'credits_that_differ' -%}
        {{ return(sequen.credits_that_differ()) }}
    {%- elif name == 'credited_values_that_differ' -%}
        {{ return(sequen.credited_values_that_differ()) }}
    {%- elif name == 'unit_values_that_differ' -%}
        {{ return(sequen.unit_values_that_differ()) }}
    {%- elif name == 'repeats_without_order' -%}
        {{ return(sequen.repeats_without_order()) }}
    {%- elif name == 'quarantined_records_that_differ' -%}
        {{ return(sequen.quarantined_records_that_differ()) }}
    {%- elif name == 'visitors_of_many_splits' -%}
        {{ return(sequen.visitors_of_many_splits()) }}
    {%- endif -%}
    {{ exceptions.raise_compiler_error('There is no query of a rule named ' ~ name ~ '.') }}
{%- endmacro %}

{# An event whose session is not there, or belongs to another visitor, is in none. #}
{% macro events_without_session() -%}
    with

    fct_events as (
        select * from {{ ref('fct_events') }}
        where
            {{ changed('fct_events', ['session_key']) }}
            or {{ changed('fct_sessions', ['session_key']) }}
    ),

    fct_sessions as (
        select * from {{ ref('fct_sessions') }}
    ),

    events_without_session as (
        select fct_events.id
        from fct_events
        left join fct_sessions
            on
                fct_events.session_key = fct_sessions.session_key
                and fct_events.visitor_key = fct_sessions.visitor_key
        where fct_sessions.session_key is null
    )

    select * from events_without_session
{%- endmacro %}

{% macro session_counts_that_differ() -%}
    {%- set counts = {
        'event_count': none,
        'page_view_count': 'page_view',
        'impression_count': 'impression',
        'click_count': 'click',
        'conversion_count': 'conversion',
    } -%}

    with

    fct_events as (
        select type from {{ ref('fct_events') }}
        where {{ changed('fct_events', ['session_key']) }}
    ),

    fct_sessions as (
        select * from {{ ref('fct_sessions') }}
        where {{ changed('fct_events', ['session_key']) }}
    ),

    events_counted as (
        select
            {%- for name, type in counts.items() %}
                count({{ "case when type = '" ~ type ~ "' then 1 end" if type else '*' }}) as {{ name }}
                {%- if not loop.last %},{% endif %}
            {%- endfor %}
        from fct_events
    ),

    sessions_summed as (
        select
            {%- for name in counts %}
                coalesce(sum({{ name }}), 0) as {{ name }}
                {%- if not loop.last %},{% endif %}
            {%- endfor %}
        from fct_sessions
    ),

    sums_that_differ as (
        select
            {%- for name in counts %}
                events_counted.{{ name }} as {{ name }}_of_events,
                sessions_summed.{{ name }} as {{ name }}_of_sessions
                {%- if not loop.last %},{% endif %}
            {%- endfor %}
        from events_counted
        cross join sessions_summed
        where
            false
            {%- for name in counts %}
                or events_counted.{{ name }} <> sessions_summed.{{ name }}
            {%- endfor %}
    )

    select * from sums_that_differ
{%- endmacro %}

{% macro credits_that_differ() -%}
    {%- set differ -%}
        false
        {%- for model in sequen.attribution_models() %}
            or sum({{ model }}_credit) <> 1
            or min({{ model }}_credit) < 0
        {%- endfor %}
    {%- endset -%}
    {{ sequen.units_having(differ) }}
{%- endmacro %}

{% macro credited_values_that_differ() -%}
    {%- set differ -%}
        min(unit_value) is distinct from max(unit_value)
        {%- for model in sequen.attribution_models() %}
            or sum({{ model }}_value) is distinct from max(unit_value)
        {%- endfor %}
    {%- endset -%}
    {{ sequen.units_having(differ) }}
{%- endmacro %}

{# Units, of changed conversions, whose touches together meet a condition. #}
{% macro units_having(condition) -%}
    with

    fct_attributions as (
        select * from {{ ref('fct_attributions') }}
        where {{ changed('fct_attributions', ['conversion_id']) }}
    ),

    units_that_differ as (
        select
            conversion_id,
            item_id
        from fct_attributions
        group by 1, 2
        having {{ condition }}
    )

    select * from units_that_differ
{%- endmacro %}

{% macro unit_values_that_differ() -%}
    with

    fct_attributions as (
        select * from {{ ref('fct_attributions') }}
        where
            {{ changed('fct_attributions', ['conversion_id']) }}
            or {{ changed('fct_conversions', ['conversion_id'], by=['id']) }}
    ),

    fct_conversions as (
        select * from {{ ref('fct_conversions') }}
        where
            {{ changed('fct_attributions', ['id'], by=['conversion_id']) }}
            or {{ changed('fct_conversions', ['id']) }}
    ),

    units as (
        select distinct
            conversion_id,
            item_id,
            unit_value
        from fct_attributions
    ),

    units_summed as (
        select
            conversion_id,
            count(*) as unit_count,
            sum(unit_value) as value
        from units
        group by 1
    ),

    conversions_that_differ as (
        select fct_conversions.id
        from fct_conversions
        left join units_summed on fct_conversions.id = units_summed.conversion_id
        where
            fct_conversions.is_repeat and units_summed.unit_count is not null
            or coalesce(units_summed.unit_count, 0) <> fct_conversions.unit_count
            or not fct_conversions.is_repeat
            and units_summed.value is distinct from fct_conversions.value
    )

    select * from conversions_that_differ
{%- endmacro %}

{# A repeat is like the conversion that counts, follows it, and has no units. #}
{% macro repeats_without_order() -%}
    with

    fct_conversions as (
        select * from {{ ref('fct_conversions') }}
    ),

    fct_attributions as (
        select * from {{ ref('fct_attributions') }}
        where {{ changed('fct_conversions', ['conversion_id'], by=['id']) }}
    ),

    int_orders_repeated as (
        select * from {{ ref('int_orders_repeated') }}
        where {{ changed('fct_conversions', ['id']) }}
    ),

    repeats as (
        select * from {{ ref('fct_conversions') }}
        where is_repeat and {{ changed('fct_conversions', ['id']) }}
    ),

    repeats_of_nothing as (
        select repeats.id
        from repeats
        left join int_orders_repeated on repeats.id = int_orders_repeated.id
        left join fct_conversions on int_orders_repeated.first_id = fct_conversions.id
        where
            fct_conversions.id is null
            or fct_conversions.is_repeat
            or fct_conversions.conversion_type <> repeats.conversion_type
            or fct_conversions.value is distinct from repeats.value
            or fct_conversions.currency is distinct from repeats.currency
            or fct_conversions.item_count <> repeats.item_count
            or fct_conversions.original_timestamp > repeats.original_timestamp
    ),

    repeats_with_units as (
        select repeats.id
        from repeats
        inner join fct_attributions on repeats.id = fct_attributions.conversion_id
    )

    select id from repeats_of_nothing
    union all
    select id from repeats_with_units
{%- endmacro %}

{% macro quarantined_records_that_differ() -%}
    with

    rpt_quarantine_fixes as (
        select * from {{ ref('rpt_quarantine_fixes') }}
    ),

    rpt_batches as (
        select * from {{ ref('rpt_batches') }}
        where is_current
    ),

    records_of_fixes as (
        select
            source,
            sum(fixable_records) as fixable_records
        from rpt_quarantine_fixes
        where source <> '(all)'
        group by 1
    ),

    records_of_batches as (
        select
            source,
            sum(quarantined) as quarantined
        from rpt_batches
        group by 1
        having sum(quarantined) > 0
    ),

    sources_with_a_difference as (
        select
            coalesce(records_of_batches.source, records_of_fixes.source) as source,
            records_of_batches.quarantined,
            records_of_fixes.fixable_records
        from records_of_batches
        full outer join records_of_fixes on records_of_batches.source = records_of_fixes.source
        where
            coalesce(records_of_batches.quarantined, 0)
            <> coalesce(records_of_fixes.fixable_records, 0)
    )

    select * from sources_with_a_difference
{%- endmacro %}

{% macro visitors_of_many_splits() -%}
    with

    visitors_of_splits as (
        select
            visitor_key,
            count(distinct split) as split_count
        from {{ ref('training_impressions') }}
        where split <> 'unused' and {{ 'false' if tests_pass_over_views() else 'true' }}
        group by 1
    )

    select * from visitors_of_splits
    where split_count > 1
{%- endmacro %}

