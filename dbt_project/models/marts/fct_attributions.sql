{{ exact(
    key=['conversion_id', 'item_id', 'touch_id'],
    scope=['conversion_id'],
    affected_by=[
        {'changes_of': 'int_conversion_units', 'columns': ['conversion_id']},
        {'changes_of': 'int_touches', 'columns': ['conversion_id']},
        {'changes_of': 'fct_conversions', 'columns': ['id']},
        {'rows_of': 'int_affected_attributions', 'columns': ['conversion_id']},
    ],
) }}

{%- set models = attribution_models() -%}

with

int_conversion_units as (
    select * from {{ ref('int_conversion_units') }}
    where {{ affected(['conversion_id']) }}
),

int_touches as (
    select * from {{ ref('int_touches') }}
    where {{ affected(['conversion_id']) }}
),

fct_conversions as (
    select * from {{ ref('fct_conversions') }}
    where {{ affected(['id']) }}
),

fct_clicks as (
    select * from {{ ref('fct_clicks') }}
),

fct_impressions as (
    select * from {{ ref('fct_impressions') }}
),

units_with_touches as (
    select
        int_conversion_units.conversion_id,
        int_conversion_units.item_id,
        coalesce(int_touches.touch_id, '') as touch_id,
        coalesce(int_touches.basis, 'none') as basis,
        int_touches.touch_type,
        fct_conversions.visitor_key,
        fct_conversions.currency,
        int_conversion_units.quantity,
        int_touches.touch_number,
        coalesce(int_touches.touch_count, 0) as touch_count,
        int_conversion_units.unit_millionths,
        {{ epoch_micros('fct_conversions.original_timestamp') }}
        - {{ epoch_micros('int_touches.touch_at') }} as age_us,
        coalesce(int_touches.touch_number = int_touches.touch_count, true) as is_last,
        int_touches.touch_at,
        fct_conversions.original_timestamp as converted_at
    from int_conversion_units
    inner join fct_conversions on int_conversion_units.conversion_id = fct_conversions.id
    left join int_touches
        on
            int_conversion_units.conversion_id = int_touches.conversion_id
            and int_conversion_units.item_id = int_touches.item_id
),

{# Half after every half-life, as a whole number of billionths: sums of it are exact. #}
touches_weighted as (
    select
        *,
        cast(
            floor(
                power(
                    cast(2 as double),
                    -(
                        cast(age_us as double)
                        / cast({{ days_in_micros(var('sequen_half_life_days')) }} as double)
                    )
                ) * 1000000000 + 0.5
            ) as bigint
        ) as weight
    from units_with_touches
),

weights_totalled as (
    select
        *,
        cast(sum(weight) over (partition by conversion_id, item_id) as bigint) as total_weight
    from touches_weighted
),

{# Without the remainder, which goes to the last touch; a weight times 10^9 fits a bigint. #}
credits_rounded_down as (
    select
        *,
        case when is_last then 0 when touch_number = 1 then 1000000000 else 0 end
            as first_touch_part,
        0 as last_touch_part,
        case
            when is_last then 0
            else {{ floor_divide('1000000000', 'touch_count') }}
        end as linear_part,
        case
            when is_last then 0
            when touch_count = 2 then 500000000
            when touch_number = 1 then 400000000
            else {{ floor_divide('200000000', '(touch_count - 2)') }}
        end as position_based_part,
        case
            when is_last or total_weight = 0 then 0
            else {{ floor_divide('weight * 1000000000', 'total_weight') }}
        end as time_decay_part
    from weights_totalled
),

credits_completed as (
    select
        *,
        {%- for model in models %}
            cast(
                case
                    when is_last
                        then
                            1000000000
                            - sum({{ model }}_part) over (partition by conversion_id, item_id)
                    else {{ model }}_part
                end as {{ wide_integer() }}
            ) as {{ model }}_billionths
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from credits_rounded_down
),

values_rounded_down as (
    select
        *,
        {%- for model in models %}
            case
                when unit_millionths is not null and is_last then 0
                else {{ floor_divide('unit_millionths * ' ~ model ~ '_billionths', '1000000000') }}
            end as {{ model }}_value_part
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from credits_completed
),

values_completed as (
    select
        *,
        {%- for model in models %}
            case
                when is_last
                    then
                        unit_millionths
                        - sum({{ model }}_value_part) over (partition by conversion_id, item_id)
                else {{ model }}_value_part
            end as {{ model }}_millionths
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from values_rounded_down
),

attributions as (
    select
        values_completed.conversion_id,
        values_completed.item_id,
        values_completed.touch_id,
        values_completed.basis,
        values_completed.touch_type,
        values_completed.visitor_key,
        values_completed.currency,
        coalesce(fct_clicks.rec_id, fct_impressions.rec_id) as rec_id,
        coalesce(fct_clicks.module_view_id, fct_impressions.module_view_id) as module_view_id,
        coalesce(fct_clicks.page_view_id, fct_impressions.page_view_id) as page_view_id,
        values_completed.quantity,
        coalesce(fct_clicks.rank, fct_impressions.rank) as rank,
        values_completed.touch_number,
        values_completed.touch_count,
        {{ millionths_as_decimal('values_completed.unit_millionths') }} as unit_value,
        {%- for model in models %}
            {{ billionths_as_decimal('values_completed.' ~ model ~ '_billionths') }}
                as {{ model }}_credit,
        {%- endfor %}
        {%- for model in models %}
            {{ millionths_as_decimal('values_completed.' ~ model ~ '_millionths') }}
                as {{ model }}_value,
        {%- endfor %}
        values_completed.touch_at,
        values_completed.converted_at
    from values_completed
    left join fct_clicks on values_completed.touch_id = fct_clicks.id
    left join fct_impressions on values_completed.touch_id = fct_impressions.id
)

select * from attributions
