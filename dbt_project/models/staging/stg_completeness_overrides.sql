with

source as (
    select * from {{ source('lake', 'completeness_overrides') }}
)

select * from source
