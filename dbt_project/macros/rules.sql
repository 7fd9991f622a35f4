{# Rules that more than one model applies. #}

{# A session is known by its visitor and by what holds it together, never by an ordinal. #}
{% macro session_key(visitor_key, kind, anchor) -%}
    {{ sequen.md5_of_array([visitor_key, kind, anchor]) }}
{%- endmacro %}

{#
  Durations of settings in microseconds. They are multiplied here: of two short numbers an engine makes a
  32-bit one, which 36 minutes overflow.
#}
{% macro minutes_in_micros(minutes) -%}
    cast({{ 60000000 * minutes }} as bigint)
{%- endmacro %}

{% macro days_in_micros(days) -%}
    {{ sequen.minutes_in_micros(1440 * days) }}
{%- endmacro %}

{# Whole millionths as a decimal, without a division: that would go through a double. #}
{% macro millionths_as_decimal(column) -%}
    cast(cast({{ column }} as decimal(31, 0)) * cast(0.000001 as decimal(7, 6)) as decimal(38, 6))
{%- endmacro %}

{# Whole billionths of a credit, 0 to 10^9, as a decimal. #}
{% macro billionths_as_decimal(column) -%}
    cast(
        cast({{ column }} as decimal(10, 0)) * cast(0.000000001 as decimal(10, 9))
        as decimal(10, 9)
    )
{%- endmacro %}

{# Two items are one where the ids are equal and the relations equal or one of them absent. #}
{% macro relations_agree(one, other) -%}
    coalesce({{ one }} = {{ other }}, true)
{%- endmacro %}

{#
  The same as an equality, which an engine can join by. An item stands in two classes, so one of many
  relations stays linear; what asks for it accepts the classes below.
#}
{% macro relation_classes(relation) -%}
    {{ sequen.array_of(["'any'", "coalesce('is:' || " ~ relation ~ ", 'none')"]) }}
{%- endmacro %}

{# One of a relation accepts items of the same or of none; one without accepts all. #}
{% macro accepted_relation_classes(relation) -%}
    case
        when {{ relation }} is null then {{ sequen.array_of(["'any'"]) }}
        else {{ sequen.array_of(["'none'", "'is:' || " ~ relation]) }}
    end
{%- endmacro %}

{# What the second of a whole number's digits counts: 1 below 100, 10 below 1000, and so on. #}
{% macro unit_of_two_digits(number) -%}
    cast(
        rpad('1', cast(greatest(length(cast({{ number }} as varchar)) - 1, 1) as integer), '0')
        as bigint
    )
{%- endmacro %}

{#
  What a type, page type, click type or conversion type is compared by: a standard type is itself only in
  its own spelling, so it is marked by a blank, which no bare name holds.
#}
{% macro compared_name(field, column) -%}
    {%- if field == 'type' -%}
        case
            when
                {{ column }} in (
                    {%- for type in sequen.standard_types() -%}
                        '{{ type }}'{{ ', ' if not loop.last }}
                    {%- endfor -%}
                ) then ' ' || {{ column }}
            else {{ sequen.bare_name(column) }}
        end
    {%- else -%}
        {{ sequen.bare_name(column) }}
    {%- endif -%}
{%- endmacro %}

{# Status of an attribute. `threshold`: an exact decimal, so that a share that equals it is complete. #}
{% macro attribute_status(kind, carrying, applicable, threshold, min_events) -%}
    case
        when {{ kind }} = 'event'
            then
                case
                    when {{ carrying }} >= {{ min_events }} then 'complete'
                    when {{ carrying }} > 0 then 'partial'
                    else 'missing'
                end
        when {{ applicable }} = 0 then 'not_applicable'
        when {{ carrying }} >= {{ threshold }} * {{ applicable }} then 'complete'
        when {{ carrying }} > 0 then 'partial'
        else 'missing'
    end
{%- endmacro %}

{# How much of an attribute is reached, in whole billionths: a sum of doubles depends on its order. #}
{% macro attribute_billionths(status, kind, carrying, applicable, threshold) -%}
    case
        when {{ status }} = 'complete' then 1000000000
        when {{ status }} = 'partial' and {{ kind }} = 'field'
            then
                cast(
                    round(
                        {{ carrying }} / (cast({{ threshold }} as double) * {{ applicable }})
                        * 1000000000
                    ) as bigint
                )
        else 0
    end
{%- endmacro %}

{# The score of a tier: the mean of its attributes, 1 where it has none. #}
{% macro tier_score(billionths, attribute_count) -%}
    case
        when {{ attribute_count }} = 0 then cast(1 as double)
        else cast({{ billionths }} as double) / ({{ attribute_count }} * 1000000000)
    end
{%- endmacro %}

{# Whether enough of the validated records are accepted for a tier to count. #}
{% macro is_accepted_share_met(accepted, validated) -%}
    (
        {{ validated }} > 0
        and {{ accepted }} * 100 >= {{ var('sequen_min_accepted_percent') }} * {{ validated }}
    )
{%- endmacro %}

{# The name of a tier by its number; none below the first. #}
{% macro tier_named(number) -%}
    case {{ number }} when 1 then 'good' when 2 then 'better' when 3 then 'best' else 'none' end
{%- endmacro %}

{# The rules that a file breaks as a whole: one quarantined record stands for all that it holds. #}
{% macro is_file_rule(column) -%}
    {{ column }} in (
        'corrupt_compression',
        'corrupt_parquet',
        'missing_header',
        'too_compressed',
        'unsupported_format'
    )
{%- endmacro %}

{# The models of attribution, by the names that their columns begin with. #}
{% macro attribution_models() -%}
    {{ return(['first_touch', 'last_touch', 'linear', 'position_based', 'time_decay']) }}
{%- endmacro %}
