{# A field attribute without a threshold between 0 and 1 could never be measured. #}
select
    attribute,
    kind,
    threshold,
    min_events
from {{ ref('int_completeness_attributes') }}
where
    kind = 'field' and (threshold is null or threshold <= 0 or threshold > 1)
    or kind = 'event' and min_events < 1
    or tier_number is null
